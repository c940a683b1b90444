"""Edits of a motion that laughs change what speech and laughter make together, and keep them apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from facetalk.core.edit_list import Edit, EditList
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.curve_edits import edited
from facetalk.motion.edits import trimmed
from facetalk.motion.regions import RegionalControl, controlled
from facetalk.motion.smoothing import smoothed

SMILE = ARKIT_NAMES.index("mouthSmileLeft")


@pytest.fixture
def laughing() -> Motion:
    talking = 0.2 + 0.1 * torch.rand(60, 52, generator=torch.Generator().manual_seed(0))
    laughter = torch.zeros(60, 55)
    laughter[20:40, SMILE] = 0.4
    return still_motion("toy", talking + laughter[:, :52], ARKIT_NAMES, 30.0, 3).replace(laughter=laughter)


CHANGES: dict[str, Callable[[Motion], Motion]] = {
    "control": lambda motion: controlled(motion, RegionalControl(gains={"mouth": 1.5})),
    "edits": lambda motion: edited(motion, EditList(1, (Edit("browInnerUp", (0.5, 1.5), offset=0.2),))),
    "smoothing": lambda motion: smoothed(motion, 2.0),
    "trimming": lambda motion: trimmed(motion, 0.5, 1.5),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_speech_alone_comes_out_as_if_nobody_had_laughed(laughing: Motion, change: Callable[[Motion], Motion]) -> None:
    result = change(laughing)
    torch.testing.assert_close(result.without_laughter().expression, change(laughing.without_laughter()).expression)
    torch.testing.assert_close(result.expression, change(laughing.replace(laughter=None)).expression)
    assert result.laughter is not None and float(result.laughter[:, SMILE].max()) > 0.3
