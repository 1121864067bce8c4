"""Pairs for edits of shape."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.drawing import sneaker


def test_the_second_half_of_a_batch_looks_where_the_first_does() -> None:
    import torch
    from diffusers.models.attention_processor import Attention

    from scripts.lib.swaps import SharedAttention

    torch.manual_seed(0)
    attention = Attention(query_dim=16, heads=2, dim_head=8).eval()
    pictures = torch.randn(4, 6, 16)
    with torch.no_grad():
        usual = attention(pictures)
        attention.set_processor(SharedAttention(torch.tensor([0.0, 1.0])))
        mixed = attention(pictures)
        where = attention.get_attention_scores(
            *(attention.head_to_batch_dim(p(pictures[[1]])) for p in (attention.to_q, attention.to_k))
        )
        shared = attention.batch_to_head_dim(where @ attention.head_to_batch_dim(attention.to_v(pictures[[3]])))
        wanted = attention.to_out[0](shared)[0]
    assert torch.allclose(mixed[:3], usual[:3], atol=1e-6)
    assert torch.allclose(mixed[3], wanted, atol=1e-6) and not torch.allclose(mixed[3], usual[3], atol=1e-2)


def test_pairs_of_shapes_differ_as_was_asked_and_only_so() -> None:
    from dataclasses import replace

    from dreamkicks.encoder.encoder import open_encoder
    from dreamkicks.painter.measure import measure
    from scripts.lib.swaps import Swap, passes

    def raised(colour: str) -> Image.Image:
        """The drawn shoe with its upper half as high again."""
        sheet = Image.new("RGB", (256, 256), "white")
        shoe = sneaker(colour)
        sheet.paste(shoe.crop((0, 90, 256, 173)).resize((256, 150)), (0, 23))
        sheet.paste(shoe.crop((0, 173, 256, 256)), (0, 173))
        return sheet

    low, high = sneaker("red"), raised("red")
    was, now = (measure(np.asarray(one)) for one in (low, high))
    assert was and now
    swap = Swap(was.blueprint, "height", replace(was.blueprint, height=now.blueprint.height))
    lenient = {"alike": -1.0, "said": -1.0, "along": -1.0, "colour": 15.0}
    encoder = open_encoder()
    assert passes(swap, low, high, encoder, lenient)
    assert not passes(swap, low, low, encoder, lenient)
    assert not passes(swap, low, raised("blue"), encoder, lenient)
    assert not passes(swap, low, Image.new("RGB", (256, 256), "white"), encoder, lenient)
    along = {"along": 0.2}
    assert passes(swap, low, high, encoder, lenient | along)
    for gate in ("alike", "said", "along"):
        assert not passes(swap, low, high, encoder, lenient | {gate: 1.0})
