"""The recipe of the matte: what it reads, and how it varies it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.networks.person_matte import MATTE_SIDE
from facetalk.recipes.parts import matte_data
from facetalk.recipes.parts.matte_data import MattedFrames, MatteSampler
from facetalk.recipes.parts.portrait_data import FOLDER
from facetalk.recipes.person_matte import PersonMatteTrainingConfig, make_task
from tests.recipes.test_portrait import DATA
from tests.recipes.toy_portraits import write_portraits


def frames() -> MattedFrames:
    """A red person in front of blue."""
    opacity = torch.zeros(2, MATTE_SIDE, MATTE_SIDE, dtype=torch.uint8)
    opacity[:, 60:, 50:110] = 255
    red = opacity[:, None] * torch.tensor([1, 0, 0], dtype=torch.uint8)[:, None, None]
    blue = (255 - opacity[:, None]) * torch.tensor([0, 0, 1], dtype=torch.uint8)[:, None, None]
    return MattedFrames(red + blue, opacity)


def test_the_matte_moves_with_the_image_and_backgrounds_change() -> None:
    sampler = MatteSampler([frames()], 24)
    batch = sampler.sample(torch.Generator().manual_seed(0))
    again = sampler.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(batch.images, again.images)
    inside, outside = batch.opacity > 0.99, batch.opacity < 0.01
    red, blue = batch.images[:, 0], batch.images[:, 2]
    assert float(red[inside].mean()) > 0.7 and float(blue[inside].mean()) < 0.15
    other = [float(red[index][outside[index]].mean()) > 0.15 for index in range(24)]
    assert 1 < sum(other) < 16
    assert float(batch.opacity.mean((1, 2)).std()) > 0.01


@pytest.mark.slow
def test_mattes_are_stored_once_and_refused_where_they_belong_to_other_frames(
    tmp_path: Path, landmark_networks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_portraits(tmp_path)
    monkeypatch.setattr(matte_data, "person_matte", lambda image: None)
    with pytest.raises(MissingAssetError, match=r"mediapipe==0\.10\.21"):
        make_task(PersonMatteTrainingConfig(data=DATA), tmp_path)
    seen = []

    def teacher(image: np.ndarray) -> np.ndarray:
        seen.append(image)
        return (image[..., 0] > image[..., 2]).astype(np.float32)

    monkeypatch.setattr(matte_data, "person_matte", teacher)
    task = make_task(PersonMatteTrainingConfig(data=DATA, frames_per_clip=3), tmp_path)
    assert len(seen) == 6 and len(task.validation) == 1
    make_task(PersonMatteTrainingConfig(data=DATA, frames_per_clip=3), tmp_path)
    assert len(seen) == 6
    np.save(tmp_path / FOLDER / "a.matte3.npy", np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(FacetalkError, match="does not belong to the frames"):
        make_task(PersonMatteTrainingConfig(data=DATA, frames_per_clip=3), tmp_path)
