from __future__ import annotations

import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.talkers.styles import mix_styles, parse_mixture, strengthened, style_named
from tests.talkers.toys import toy_talker


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A.mp4", [("A.mp4", 1.0)]),
        ("A.mp4:0.4,B.mp4:0.6", [("A.mp4", 0.4), ("B.mp4", 0.6)]),
        ("happy , sad", [("happy", 0.5), ("sad", 0.5)]),
        ("happy:1.5,neutral:-0.5", [("happy", 1.5), ("neutral", -0.5)]),
        ("flame:x.npz", [("flame:x.npz", 1.0)]),
    ],
)
def test_a_mixture_is_read(text: str, parts: list[tuple[str, float]]) -> None:
    assert parse_mixture(text) == parts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "needs a name"),
        ("a:0.5,b", "'b' has no weight"),
        ("a:0.5,b:0.6", "sum to 1.1"),
        ("a:2,b:-1", "must lie between -0.5 and"),
    ],
)
def test_impossible_mixtures_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_mixture(text)


def test_styles_of_emotions_have_their_synonyms() -> None:
    talker = toy_talker()
    talker.styles["happy"] = talker.styles["glad"] + 1
    assert torch.equal(style_named("joy", talker), talker.styles["happy"])
    assert torch.equal(style_named("glad", talker), talker.styles["glad"]), "a style of this name goes first"
    assert torch.equal(style_named("calm", talker), talker.neutral_style)
    with pytest.raises(FacetalkError, match="no such style reference: sorrow"):
        style_named("sorrow", talker)


def test_mixing_and_strength_are_linear() -> None:
    a, b = torch.tensor([0.0, 2.0]), torch.tensor([4.0, 0.0])
    torch.testing.assert_close(mix_styles([a, b], [0.25, 0.75]), torch.tensor([3.0, 0.5]))
    torch.testing.assert_close(strengthened(b, a, 0.5), torch.tensor([2.0, 1.0]))
    torch.testing.assert_close(strengthened(b, a, 0.0), a)
    with pytest.raises(UsageError, match="between 0 and"):
        strengthened(b, a, 2.0)
