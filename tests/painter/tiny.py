"""Untrained models with a few thousand weights, in the layout of the real ones: the stock pipelines run them as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
)
CLASSES = (
    "StableDiffusionPipeline",
    "LatentConsistencyModelPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionInstructPix2PixPipeline",
    "Flux2KleinPipeline",
)


def save(kind: str, folder: Path, variant: str | None = None, safe: bool = True) -> Path:
    """A tiny pipeline of one of CLASSES, saved in `folder` as the hub has it."""
    import diffusers

    torch.manual_seed(0)
    parts = _flux() if kind == "Flux2KleinPipeline" else _stable_diffusion(kind)
    pipe = getattr(diffusers, kind)(**parts)
    pipe.save_pretrained(folder, variant=variant, safe_serialization=safe)
    for name in ("tokenizer", "tokenizer_2"):
        if name in parts:
            # As published: a vocabulary and its merges, without the tokenizer.json that newer libraries write.
            shutil.rmtree(folder / name)
            _write_tokenizer(folder / name, "Qwen2Tokenizer" if kind == "Flux2KleinPipeline" else "CLIPTokenizer")
    return folder


def _stable_diffusion(kind: str) -> dict[str, Any]:
    from diffusers import (
        AutoencoderKL,
        EulerAncestralDiscreteScheduler,
        EulerDiscreteScheduler,
        LCMScheduler,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    large, lcm, instruct = "XL" in kind, "Consistency" in kind, "Instruct" in kind
    special: dict[str, Any] = {}
    if large:
        special = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 16,
        }
    if lcm:
        special = {"time_cond_proj_dim": 16}
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=8 if instruct else 4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=32 if large else 16,
        **special,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=64,
    )
    scheduler: dict[str, Any] = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
    }
    common: dict[str, Any] = {
        "unet": unet,
        "vae": vae,
        "text_encoder": CLIPTextModel(_clip_config()),
        "tokenizer": _tokenizer("CLIPTokenizer"),
        "scheduler": LCMScheduler(**scheduler)
        if lcm
        else EulerAncestralDiscreteScheduler(**scheduler, timestep_spacing="trailing")
        if large or instruct
        else EulerDiscreteScheduler(**scheduler, timestep_spacing="trailing", prediction_type="epsilon"),
    }
    if large:
        two = {
            "text_encoder_2": CLIPTextModelWithProjection(_clip_config()),
            "tokenizer_2": _tokenizer("CLIPTokenizer"),
        }
        return common | two
    return common | {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def _flux() -> dict[str, Any]:
    from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    text = Qwen3Config(
        vocab_size=300,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=28,  # the pipeline reads the states of layers 9, 18 and 27
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=512,
    )
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=1,
        joint_attention_dim=24,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    )
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "vae": vae,
        "text_encoder": Qwen3ForCausalLM(text),
        "tokenizer": _tokenizer("Qwen2Tokenizer"),
        "transformer": transformer,
        "is_distilled": True,
    }


def _clip_config() -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(_vocabulary("CLIPTokenizer")),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=16,
        bos_token_id=0,
        eos_token_id=1,
    )


def _vocabulary(kind: str) -> dict[str, int]:
    """Single bytes only: nothing is ever unknown."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = ["<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters]
    if kind == "CLIPTokenizer":
        words += [f"{letter}</w>" for letter in letters]
    return {word: number for number, word in enumerate(words)}


def _tokenizer(kind: str) -> Any:
    import transformers

    return getattr(transformers, kind)(vocab=_vocabulary(kind), merges=[], model_max_length=77)


def _write_tokenizer(folder: Path, kind: str) -> None:
    folder.mkdir()
    special = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    if kind == "CLIPTokenizer":
        special |= {"bos_token": "<|startoftext|>", "unk_token": "<|endoftext|>"}
    config = {"tokenizer_class": kind, "model_max_length": 77 if kind == "CLIPTokenizer" else 512, **special}
    if kind != "CLIPTokenizer":
        config["chat_template"] = CHAT
    (folder / "vocab.json").write_text(json.dumps(_vocabulary(kind)), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
