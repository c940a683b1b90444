from __future__ import annotations

import pytest
import torch

from facetalk.core.motion import still_motion
from facetalk.metrics.fit_quality import face_frames_ratio, mean_fit_error


def test_quality_of_a_fit_with_a_frame_without_a_face() -> None:
    motion = still_motion("toy", torch.zeros(4, 1), ("jawOpen",), 30.0, 2).replace(
        confidence=torch.tensor([1.0, 0.2, 0.0, 0.7]), fit_error=torch.tensor([0.01, 0.03, torch.nan, 0.02])
    )
    assert face_frames_ratio(motion) == 0.75
    assert mean_fit_error(motion) == pytest.approx(0.02)


def test_a_motion_that_was_not_fitted_has_no_error() -> None:
    motion = still_motion("toy", torch.zeros(4, 1), ("jawOpen",), 30.0, 2)
    assert face_frames_ratio(motion) == 1.0 and mean_fit_error(motion) == 0.0
