from __future__ import annotations

import pytest
import torch

from facetalk.audio.phonemes import PHONEMES
from facetalk.head.model import HeadModel
from facetalk.motion.face_scene import FaceScene
from facetalk.motion.heads import load_head
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.recipes.evaluation.face_encoder import ValidationClip, closures, evaluate_face_encoder
from tests.recipes.toy_faces import tiny_encoder, video_clip


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def scene(head: HeadModel) -> FaceScene:
    return FaceScene(head)


def test_closures_are_counted_where_the_lips_in_the_video_close() -> None:
    posteriors = torch.zeros(12, len(PHONEMES))
    posteriors[:, PHONEMES.index("AA")] = 1.0
    for start in (2, 6, 10):
        posteriors[start : start + 2] = 0.0
        posteriors[start : start + 2, PHONEMES.index("M")] = 1.0
    true_gaps, gaps = torch.full((12,), 0.1), torch.full((12,), 0.1)
    true_gaps[[2, 7]] = 0.0  # the third M does not close the lips in the video
    gaps[[1, 10]] = 0.0
    assert closures(gaps, true_gaps, posteriors) == (1, 2)


def test_an_encoder_is_evaluated_beside_its_coarse_half(head: HeadModel, scene: FaceScene) -> None:
    example = video_clip(head, 26)
    torch.manual_seed(0)
    reader = PhonemeLipReader(LipReaderConfig(width=2, hidden=4)).eval()
    posteriors = torch.zeros(26, len(PHONEMES))
    posteriors[:, PHONEMES.index("AA")] = 1.0
    with torch.no_grad():
        figures = evaluate_face_encoder(
            tiny_encoder(head.num_betas), scene, reader, [ValidationClip(example, posteriors)]
        )
    names = {"landmarks", "mouth", "r_open", "r_wide", "gap", "closures", "lip_distance", "phoneme", "viseme"}
    assert names | {f"coarse_{name}" for name in names} <= set(figures) and "film_viseme" in figures
    assert figures["landmarks"] == pytest.approx(figures["coarse_landmarks"], abs=1e-3)
    with torch.no_grad():
        assert evaluate_face_encoder(tiny_encoder(head.num_betas), scene, None, []) == {}
