"""Face crops as training data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.face_corpus import read_corpus
from facetalk.data.faces import FaceDataConfig, FaceExample, face_images
from facetalk.data.tracked_renderer import TrackedRenderer
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from facetalk.vision.crop import FACE_SCALE
from tests.recipes.toy_faces import even_light, video_clip


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def example(head: HeadModel) -> FaceExample:
    return video_clip(head)


def test_the_light_of_a_clip_is_estimated(head: HeadModel, example: FaceExample) -> None:
    found = TrackedRenderer(head).light(example)
    torch.testing.assert_close(found[:4], even_light()[:4], atol=0.35, rtol=0.1)


def test_stored_faces_are_read_in_any_scale(example: FaceExample) -> None:
    faces = example.crops.faces[:2]
    middle = face_images(faces)
    np.testing.assert_allclose(middle.numpy(), faces[:, 8:120, 8:120].transpose(0, 3, 1, 2) / 255, atol=1e-6)
    near = face_images(faces, FACE_SCALE * 1.0001)
    assert (near - middle).abs().mean() < 0.01


def test_training_without_a_dataset_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="spectre is trained on videos: give --data"):
        read_corpus(None, FaceDataConfig(), "spectre")
    (tmp_path / "manifest.csv").write_text("name,speaker,source\nx,s0,/nowhere/x.mp4\n")
    with pytest.raises(FacetalkError, match=r"x: no video at /nowhere/x\.mp4"):
        read_corpus(tmp_path, FaceDataConfig(), "spectre")
