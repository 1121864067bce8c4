"""A CLIP of SigLIP's kind, small enough to make in a test: a folder in open_clip's layout with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch

LENGTH = 12
WORDS = ("<pad>", "</s>", "<unk>", "red", "blue", "sneaker", "high", "top", "with", "gum", "sole")
PAD = 1
"""SigLIP's tokenizers pad with their end token, to the full length."""
CONFIG = {
    "model_cfg": {
        "embed_dim": 16,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "head_width": 8},
        "text_cfg": {
            "context_length": LENGTH,
            "vocab_size": len(WORDS),
            "hf_tokenizer_name": "tiny/siglip",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 16,
            "heads": 2,
            "layers": 2,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
        },
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "squash",
    },
}


def make_siglip(folder: Path, seed: int = 0) -> torch.nn.Module:
    """Write the folder; returns the model whose weights it holds."""
    import open_clip
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": LENGTH,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(described))
    torch.manual_seed(seed)
    model: torch.nn.Module = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    with torch.no_grad():  # as they begin, the positions are too alike for the length to matter
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model.eval()
