"""A motion is checked where it is made, and again before something is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from facetalk.core.motion import POSES, Motion, check_values, still_motion


def parts(**changes: Any) -> dict[str, Any]:
    rest = torch.zeros(4, 3)
    return {
        "head": "toy", "fps": 30.0, "expression": torch.zeros(4, 2), "expression_names": ("a", "b"),
        "transl": rest, "betas": torch.zeros(3), **dict.fromkeys(POSES, rest), **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"expression": torch.zeros(4)},
        {"expression": torch.zeros(4, 3)},
        {"expression": np.zeros((4, 2), np.float32)},
        {"jaw_pose": torch.zeros(4, 4)},
        {"jaw_pose": torch.zeros(5, 3)},
        {"transl": None},
        {"betas": 3.0},
        {"confidence": torch.zeros(5)},
        {"fps": 0.0},
        {"fps": float("nan")},
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    Motion(**parts())
    with pytest.raises((ValueError, TypeError)):
        Motion(**parts(**changes))


def test_values_beyond_any_face_are_named() -> None:
    motion = still_motion("toy", torch.zeros(4, 2), ("a", "b"), 30.0, 3)
    check_values(motion)
    for name, changed in (
        ("jaw_pose", motion.replace(jaw_pose=motion.jaw_pose + torch.inf)),
        ("confidence", motion.replace(confidence=torch.full((4,), torch.nan))),
        ("betas", motion.replace(betas=motion.betas + 1e6)),
        ("source_fps", motion.replace(source_fps=1e6)),
        ("hours", still_motion("toy", torch.zeros(90_000, 2), ("a", "b"), 1.0, 3)),
    ):
        with pytest.raises(ValueError, match=name):
            check_values(changed)
