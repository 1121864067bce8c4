"""The door to models of the hub, and to folders in diffusers' layout: their files, and the painter that runs them."""

from __future__ import annotations

import contextlib
import inspect
import math
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from dreamkicks import device as devices
from dreamkicks.errors import Cancelled, PainterError, WeightsError
from dreamkicks.painter.hub_files import (
    LEFT_OUT,
    bytes_kept,
    hub_preset,
    lacking,
    local_folder,
    pull,
    remove,
    size_on_disk,
    variant_of,
)
from dreamkicks.painter.painter import OnStep, Painting, Step
from dreamkicks.painter.presets import Preset
from dreamkicks.painter.vocabulary import words_file
from dreamkicks.pictures import fit_square
from dreamkicks.text import reason

if TYPE_CHECKING:
    from dreamkicks.painter.previews import Previews

__all__ = ["HubPainter", "bytes_kept", "hub_preset", "local_folder", "pull", "remove", "size_on_disk"]

_LEAST_STRENGTH = 0.02  # below it nothing visible changes, and a scheduler of 50 training steps has none to run


class HubPainter:
    """Paints with the stock diffusers pipelines that a preset names; what a pipeline takes, its signature says."""

    def __init__(self, preset: Preset, folder: Path, device: str = "auto") -> None:
        """Load the model once, for both pipelines.

        Raises PainterError (no safetensors, too little memory, an unknown pipeline) and WeightsError (damaged files).
        """
        self.preset = preset
        self._device = devices.choose(device)
        _hush()
        self._check(folder)
        with self._explained():
            try:
                self._imagine = self._load(folder)
            except (PainterError, MemoryError):
                raise
            except Exception as error:  # loaders raise whatever they like on damaged files
                if _is_memory(error):
                    raise
                advice = (
                    "Save or download it again."
                    if preset.is_folder
                    else f"Try: dreamkicks models remove {preset.name}, then pull."
                )
                raise WeightsError(f"The model in {folder} can't be loaded ({reason(error)}). {advice}") from error
            self._edit = self._imagine
            if preset.edit != preset.imagine:
                self._edit = _pipeline_class(preset.edit).from_pipe(self._imagine, dtype=self._device.dtype)
            self._settle()
        from dreamkicks.painter.previews import Guess

        self._guess = Guess(self._imagine.scheduler)
        self._previews: Previews | None = None

    def imagine(self, prompt: str, seed: int, *, size: int | None = None, on_step: OnStep | None = None) -> Painting:
        """A square picture, `size` rounded to what the model can paint."""
        accepted = _accepted(self._imagine)
        side = self._side(size or self.preset.size)
        return self._paint(
            self._imagine,
            seed,
            prompt,
            on_step,
            prompt=words_file("hub.toml")["imagine"].format(prompt=prompt),
            width=side,
            height=side,
            # A pipeline that can't be told a size only paints over pictures.
            image=None if "width" in accepted else Image.new("RGB", (side, side), "white"),
            num_inference_steps=self.preset.steps,
        )

    def edit(
        self,
        picture: Image.Image,
        instruction: str,
        seed: int,
        *,
        strength: float | None = None,
        on_step: OnStep | None = None,
    ) -> Painting:
        """The picture, fitted into a square of the preset's size, changed.

        `strength` works where the pipeline has it, and loosens InstructPix2Pix's hold on the picture; models that decide
        by themselves how far to go don't take it.
        """
        side = self._side(self.preset.size)
        image_guidance = self.preset.image_guidance
        if strength is not None and image_guidance is not None:
            image_guidance = 2 - strength  # 1.5, the usual one, at a strength of 0.5
        strength = max(strength or self.preset.strength or 1.0, _LEAST_STRENGTH)
        template = "{instruction}" if self.preset.instructs else words_file("hub.toml")["edit"]
        return self._paint(
            self._edit,
            seed,
            instruction,
            on_step,
            prompt=template.format(instruction=instruction),
            image=fit_square(picture.convert("RGB"), side),
            width=side,
            height=side,
            strength=strength,
            image_guidance_scale=image_guidance,
            num_inference_steps=self._steps_for(strength),
        )

    def _paint(
        self,
        pipe: Any,
        seed: int,
        words: str,
        on_step: OnStep | None,
        **wanted: Any,
    ) -> Painting:
        import torch

        begun = time.perf_counter()
        ran = 0

        def after(pipeline: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            nonlocal ran
            ran = index + 1
            if on_step is not None:
                self._tell(on_step, ran, pipeline.num_timesteps)
            return tensors

        usual = {
            "guidance_scale": self.preset.guidance,
            "image_guidance_scale": self.preset.image_guidance,
            "negative_prompt": words_file("hub.toml")["negative"],  # pipelines leave it out where there is no guidance
            # On the CPU, so that a seed means the same picture on every device.
            "generator": torch.Generator().manual_seed(seed),
            "callback_on_step_end": after,
            "callback_on_step_end_tensor_inputs": ["latents"],
        }
        wanted, accepted = usual | wanted, _accepted(pipe)
        with self._explained():
            if on_step is not None:
                self._fit_previews(pipe)
            try:
                result = pipe(
                    **{name: value for name, value in wanted.items() if name in accepted and value is not None}
                )
            except BaseException:
                pipe.maybe_free_model_hooks()
                raise
        picture = result.images[0].convert("RGB")
        return Painting(
            picture=picture,
            seed=seed,
            steps=ran,
            seconds=time.perf_counter() - begun,
            model=self.preset.name,
            understood=(words,),
            ignored=(),
        )

    def _tell(self, on_step: OnStep, number: int, total: int) -> None:
        preview = None
        if self._previews is not None and self._guess.latents is not None:
            preview = self._previews.show(self._guess.latents)
        try:
            on_step(Step(number, total, preview))
        except Cancelled as cancelled:
            cancelled.steps = number
            raise

    def _fit_previews(self, pipe: Any) -> None:
        if self._previews is None:
            from dreamkicks.painter.previews import Previews

            self._previews = Previews(pipe.vae, self._device.name)
            pipe.maybe_free_model_hooks()

    def _side(self, size: int) -> int:
        """The nearest size that the model can paint."""
        unit = max(8, self._imagine.image_processor.config.vae_scale_factor)
        return max(unit, round(size / unit) * unit)

    def _steps_for(self, strength: float) -> int:
        """How many steps to ask an edit for, so that the preset's steps really run."""
        accepted = _accepted(self._edit)
        if "strength" not in accepted:
            return self.preset.steps
        if "original_inference_steps" in accepted:
            # LCM runs all it is asked for, out of the part of its original steps that the strength leaves.
            left = int(self._edit.scheduler.config.original_inference_steps * strength)
            return max(1, min(self.preset.steps, left))
        # The others run int(steps * strength) of them.
        asked = math.ceil(self.preset.steps / strength)
        asked += int(asked * strength) < self.preset.steps  # int(100 * 0.29) is 28
        return min(asked, int(self._edit.scheduler.config.num_train_timesteps))

    # ---------------------------------------------------------------- loading

    def _check(self, folder: Path) -> None:
        part = lacking(folder)
        if part is None:
            return
        pickled = sorted(
            path.name for path in (folder / part).glob("*") if path.suffix in (".bin", ".ckpt", ".pt", ".pth")
        )
        if pickled:
            raise PainterError(
                f"{folder / part} has no safetensors, only {pickled[0]}, which could run code when opened. "
                "Save the model with safe_serialization=True."
            )
        raise PainterError(
            f"The model in {folder} is incomplete: files of its {part} are missing. Save or download it again."
        )

    def _load(self, folder: Path) -> Any:
        import torch

        pipeline = _pipeline_class(self.preset.imagine)
        takes = inspect.signature(pipeline.__init__).parameters
        without: dict[str, Any] = {name: None for name in LEFT_OUT if name in takes}
        if "requires_safety_checker" in takes:
            without["requires_safety_checker"] = False
        before = torch.get_default_dtype()
        try:
            return pipeline.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                variant=variant_of(folder, self.preset.variant),
                dtype=self._device.dtype,
                **without,
            )
        finally:
            torch.set_default_dtype(before)  # a loader that fails half-way leaves its own behind, for the whole process

    def _settle(self) -> None:
        """Move the model to the device, or only the part that works when the device is too small for all."""
        import torch
        from diffusers.utils import is_accelerate_available

        pipes = [self._imagine] if self._edit is self._imagine else [self._imagine, self._edit]
        small = self._device.name == "cuda" and torch.cuda.mem_get_info()[0] < self.preset.memory * 1e9
        for pipe in pipes:
            pipe.set_progress_bar_config(disable=True)
            if small and is_accelerate_available():
                pipe.enable_model_cpu_offload(device=self._device.name)
            else:
                pipe.to(self._device.name)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what torch and diffusers raise into PainterErrors."""
        try:
            yield
        except (RuntimeError, ValueError, MemoryError) as error:
            if not _is_memory(error):
                raise PainterError(f"{self.preset.name} could not paint this: {reason(error)}.") from error
            elsewhere = "" if self._device.name == "cpu" else ", or --device cpu"
            raise PainterError(
                f"Out of memory: {self.preset.name} needs about {self.preset.memory:g} GB on the {self._device.name}. "
                f"Choose a smaller preset or size{elsewhere}."
            ) from error


def _is_memory(error: BaseException) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def _pipeline_class(name: str) -> Any:
    import diffusers

    found = getattr(diffusers, name, None)
    if found is None:
        raise PainterError(f"diffusers {diffusers.__version__} has no {name}. Install a newer one.")
    return found


def _accepted(pipe: Any) -> set[str]:
    return set(inspect.signature(pipe.__call__).parameters)


def _hush() -> None:
    """No bars and no warnings on the terminal, which belongs to us."""
    import diffusers.utils.logging
    import transformers.utils.logging

    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(diffusers|transformers)\.")
