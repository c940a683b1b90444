"""SPECTRE's networks learn from a video of the bundled head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.audio.articulation import ARTICULATORS
from facetalk.audio.phonemes import PHONEMES, SILENCE
from facetalk.audio.visemes import VISEMES, viseme_of_phoneme
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.crops import KEPT_SCALE
from facetalk.data.face_corpus import FaceCorpus, read_corpus
from facetalk.data.faces import FaceDataConfig, FaceExample, face_images
from facetalk.data.tracked_renderer import TrackedRenderer, head_places
from facetalk.fitters.refine import (
    RefineLossWeights,
    RefineSettings,
    _batches,
    refine_encoder,
    unsteadiness,
    with_lids,
)
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.losses.geometry import LipGeometry
from facetalk.motion.face_scene import CropViews, FaceScene, in_crop
from facetalk.motion.heads import load_head
from facetalk.networks.expression_net import ExpressionNet, ExpressionNetConfig
from facetalk.networks.face_encoder import CoarseEncoder, FaceCode, FaceEncoder, FaceEncoderConfig
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.networks.registry import load, load_expression_net, load_lip_reader
from facetalk.recipes.coarse_encoder import (
    CoarseEncoderTask,
    CoarseTrainingConfig,
    labeled_face,
)
from facetalk.recipes.evaluation.face_encoder import ValidationClip, closures, evaluate_face_encoder
from facetalk.recipes.evaluation.lip_reader import LabeledMouth, phoneme_figures
from facetalk.recipes.expression_net import ExpressionNetTask, ExpressionTrainingConfig
from facetalk.recipes.lip_reader import (
    LipReaderTask,
    LipReaderTrainingConfig,
    lip_distances,
)
from facetalk.recipes.parts.face_augmentation import labels_in_part, mirrored_code, mirrored_landmarks
from facetalk.recipes.spectre import Experts, SpectreTask, SpectreTrainingConfig, clip_of, spectre_terms
from facetalk.rendering.harmonics import harmonics
from facetalk.training.loop import LoopConfig, run
from facetalk.training.optim import OptimConfig
from facetalk.vision.crop import FACE_SCALE
from facetalk.vision.crop_view import into_crop
from tests.recipes.toy_faces import K, even_light, tiny_encoder, video_clip

QUICK = OptimConfig(learning_rate=5e-3, warmup_steps=2, average=0.0)
SHORT = FaceDataConfig(clip_frames=8, batch_size=2)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def example(head: HeadModel) -> FaceExample:
    return video_clip(head)


@pytest.fixture(scope="module")
def scene(head: HeadModel) -> FaceScene:
    return FaceScene(head)


def test_the_light_of_a_clip_is_estimated(head: HeadModel, example: FaceExample) -> None:
    found = TrackedRenderer(head).light(example)
    torch.testing.assert_close(found[:4], even_light()[:4], atol=0.35, rtol=0.1)


def kept(example: FaceExample, folder: Path) -> FaceExample:
    """The example as one of a dataset in a folder."""
    (folder / "crops").mkdir(exist_ok=True)
    return replace(example, clip=replace(example.clip, folder=folder))


@pytest.mark.parametrize("seed", range(4))
def test_the_labels_of_a_part_are_those_of_a_new_box(head: HeadModel, example: FaceExample, seed: int) -> None:
    noise = torch.rand(3, generator=torch.Generator().manual_seed(seed))
    part, shift = 0.8 + 0.15 * noise[:1], 0.1 * (noise[1:] - 0.5)[None]
    turns, places = head_places(example, head, torch.tensor([3]), FaceScene(head).center)
    box = example.track.face_boxes[3:4]
    code = FaceCode.split(torch.zeros(1, 122), head.num_betas)
    code = replace(code, camera=into_crop(turns, places, K, box)[1])
    landmarks = in_crop(example.track.landmarks[3:4], box)
    moved, row = labels_in_part(landmarks, code.joined(), part, shift, head.num_betas)
    whole = box * torch.tensor([1, 1, KEPT_SCALE / FACE_SCALE])
    new = torch.cat([whole[:, :2] + shift * whole[:, 2:] / 2, part * whole[:, 2:]], 1)
    _, expected = into_crop(turns, places, K, new)
    torch.testing.assert_close(FaceCode.split(row, head.num_betas).camera, expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(moved, in_crop(example.track.landmarks[3:4], new))


def test_a_mirrored_code_shows_the_mirrored_landmarks(head: HeadModel, scene: FaceScene) -> None:
    example = video_clip(head, 6)
    code = code_of(example, head)
    generator = torch.Generator().manual_seed(0)
    code = replace(code, expression=0.5 * torch.rand(6, 52, generator=generator), betas=torch.zeros_like(code.betas))
    # A camera that looks at the middle of every crop: only then is the mirrored image an image of the same camera.
    views = CropViews(K, torch.tensor([[128.0, 128, 180]]).expand(6, 3))

    def shown(what: FaceCode) -> torch.Tensor:
        return scene.seen(scene.points(what, what.betas[0], views), views)

    torch.testing.assert_close(shown(mirrored_code(code)), mirrored_landmarks(shown(code)), atol=0.03, rtol=0)
    normal = torch.tensor([[0.5, 0.3, 0.8]])
    light = torch.randn(6, 9, 3, generator=generator)
    other = mirrored_code(replace(code, light=light)).light
    expected = harmonics(normal) @ light[0]
    torch.testing.assert_close(harmonics(normal * torch.tensor([-1.0, 1, 1])) @ other[0], expected)


def code_of(example: FaceExample, head: HeadModel) -> FaceCode:
    """The code of an example, under no light."""
    turns, places = head_places(example, head, torch.arange(example.num_frames), FaceScene(head).center)
    rotation, camera = into_crop(turns, places, example.K, example.track.face_boxes)
    betas = example.betas.expand(example.num_frames, -1)
    light = torch.zeros(example.num_frames, 9, 3)
    return FaceCode(betas, example.expression, example.gaze, rotation, camera, light)


@pytest.mark.slow
def test_the_coarse_encoder_learns_and_comes_back(tmp_path: Path, head: HeadModel, example: FaceExample) -> None:
    face = labeled_face(kept(example, tmp_path), TrackedRenderer(head))
    sizes = FaceEncoderConfig(num_betas=head.num_betas, coarse_width=4, coarse_hidden=16)
    config = CoarseTrainingConfig(
        data=FaceDataConfig(batch_size=8), encoder=sizes, bfloat16=False, without_landmarks=0.2
    )
    torch.manual_seed(0)
    task = CoarseEncoderTask(config, CoarseEncoder(sizes), LipGeometry(head.assets), [face], [face])
    with torch.no_grad():
        first = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    figures = run(task, LoopConfig(num_steps=60), QUICK, tmp_path)
    task.model.train()
    with torch.no_grad():
        last = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    assert float(last["lips"] + last["camera"]) < 0.7 * float(first["lips"] + first["camera"])
    assert set(figures) >= {"expression", "mean_expression", "picture_expression", "gap", "mean_gap"}
    again = load("coarse-encoder", tmp_path)
    images = face_images(example.crops.faces[:2])
    with torch.no_grad():
        expected = task.model.eval()(images, face.landmarks[:2])
        torch.testing.assert_close(again(images, face.landmarks[:2]), expected, atol=0.02, rtol=0.02)
        without = again(images, torch.full((2, 68, 2), torch.nan))
    assert torch.isfinite(without).all() and not torch.equal(without, expected)


def labeled(example: FaceExample) -> LabeledMouth:
    """An open mouth is labeled AA, a closed one M."""
    posteriors = torch.zeros(example.num_frames, len(PHONEMES))
    wide = example.expression.amax(1) > 0.3
    posteriors[wide, PHONEMES.index("AA")], posteriors[~wide, PHONEMES.index("M")] = 1.0, 1.0
    moves = posteriors[:, [PHONEMES.index("AA")]].expand(-1, len(ARTICULATORS))
    mouths = example.crops.mouths
    return LabeledMouth("s0", mouths, posteriors, moves, lip_distances(example), example.trusted, mouths)


@pytest.mark.slow
def test_the_lip_reader_learns_and_comes_back(tmp_path: Path, example: FaceExample) -> None:
    sizes = LipReaderConfig(width=4, hidden=8, dilations=(1,), dropout=0.0)
    config = LipReaderTrainingConfig(reader=sizes, data=SHORT, bfloat16=False)
    torch.manual_seed(0)
    task = LipReaderTask(config, PhonemeLipReader(sizes), [labeled(example)], [labeled(example)])
    figures = run(task, LoopConfig(num_steps=40), QUICK, tmp_path)
    assert figures["closure_auc"] > 0.8 and figures["render_closure_auc"] > 0.8
    assert figures["phoneme"] >= figures["prior_phoneme"] - 0.05
    mouths = torch.rand(1, 4, 88, 88)
    with torch.no_grad():
        expected = task.model.eval().features(mouths)
    torch.testing.assert_close(load_lip_reader(str(tmp_path)).features(mouths), expected, atol=0.02, rtol=0.02)


def test_phoneme_figures_of_a_hand_sized_example() -> None:
    posteriors = torch.tensor([PHONEMES.index(s) for s in ("P", "B", "AA", "SIL")])
    predicted = torch.nn.functional.one_hot(
        torch.tensor([PHONEMES.index(s) for s in ("P", "P", "P", "SIL")]), 41
    ).float()
    prior = torch.zeros(41)
    prior[SILENCE], prior[PHONEMES.index("AA")] = 0.6, 0.4
    figures = phoneme_figures(predicted, posteriors, prior)
    assert figures["phoneme"] == 0.5 and figures["speech_phoneme"] == pytest.approx(1 / 3)
    assert figures["viseme"] == 0.75 and figures["viseme_recall"] == pytest.approx(2 / 3)
    assert figures["prior_phoneme"] == 0.25 and figures["prior_speech_phoneme"] == pytest.approx(1 / 3)


def test_every_phoneme_has_one_viseme() -> None:
    assert sorted(symbol for viseme in VISEMES for symbol in viseme) == sorted(PHONEMES)
    assert viseme_of_phoneme()[PHONEMES.index("B")] == viseme_of_phoneme()[PHONEMES.index("M")] == 0


def test_the_expression_network_learns_and_comes_back(tmp_path: Path, head: HeadModel, example: FaceExample) -> None:
    sizes = ExpressionNetConfig(width=4)
    config = ExpressionTrainingConfig(data=replace(SHORT, batch_size=4), net=sizes, bfloat16=False)
    torch.manual_seed(0)
    corpus = FaceCorpus([kept(example, tmp_path), kept(video_clip(head, 10, seed=1), tmp_path)], [example])
    task = ExpressionNetTask(config, ExpressionNet(sizes), TrackedRenderer(head), corpus)
    figures = run(task, LoopConfig(num_steps=3), QUICK, tmp_path)
    assert figures["clips_judged"] == 1 and figures["prior_recall"] == 1
    images = face_images(example.crops.faces[:2])
    with torch.no_grad():
        expected = task.model.eval().features(images)
    torch.testing.assert_close(load_expression_net(str(tmp_path)).features(images), expected, atol=0.02, rtol=0.02)


def test_only_terms_with_a_critic_are_computed_and_only_the_perceptual_encoder_learns(
    head: HeadModel, scene: FaceScene, example: FaceExample
) -> None:
    encoder = tiny_encoder(head.num_betas).freeze_coarse()
    clip, spread = clip_of(example, slice(8)), torch.full((52,), 0.1)
    bare = spectre_terms(encoder, scene, Experts(None, None), clip, spread)
    assert set(bare) == {"landmarks", "relative", "correction", "jaw", "bounds"}
    torch.manual_seed(0)
    sizes = LipReaderConfig(width=4, hidden=8)
    experts = Experts(PhonemeLipReader(sizes).eval(), ExpressionNet(ExpressionNetConfig(width=4)).eval())
    terms = spectre_terms(encoder, scene, experts, clip, spread)
    assert set(terms) == {*bare, "lip_reading", "emotion"}
    (terms["lip_reading"] + terms["emotion"]).backward()
    gradient = encoder.perceptual.layers.weight.grad
    assert gradient is not None and gradient.abs().max() > 0
    assert all(parameter.grad is None for parameter in encoder.coarse.parameters())


@pytest.mark.slow
def test_the_perceptual_encoder_opens_the_mouth_like_the_video(
    tmp_path: Path, head: HeadModel, scene: FaceScene, example: FaceExample
) -> None:
    encoder = tiny_encoder(head.num_betas)
    config = SpectreTrainingConfig(data=FaceDataConfig(clip_frames=12, batch_size=1))
    task = SpectreTask(config, encoder, scene, Experts(None, None), [example], [])
    with torch.no_grad():
        first = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    run(task, LoopConfig(num_steps=15), QUICK, tmp_path)
    with torch.no_grad():
        last = task.loss_terms(0, task.sample(torch.Generator().manual_seed(0)))
    assert float(last["relative"]) < 0.9 * float(first["relative"])
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "config.yaml").is_file()


@pytest.mark.slow
def test_refinement_brings_the_landmarks_nearer_and_leaves_the_given_encoder_alone(
    head: HeadModel, scene: FaceScene, example: FaceExample
) -> None:
    encoder = tiny_encoder(head.num_betas)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    clip = clip_of(example, slice(16))
    # The little network says random things: only the landmarks are worth following.
    weights = RefineLossWeights(landmarks=100.0, steadiness=0.0, relative=0.0, acceleration=0.0)
    settings = RefineSettings(passes=20, learning_rate=1e-3, loss_weights=weights)
    taught = refine_encoder(encoder, scene, None, clip, settings)

    def error(network: FaceEncoder) -> float:
        code = network.encode(clip.faces, clip.landmarks)
        betas = code.betas.mean(0)
        code = scene.anchored(code, betas, clip.views, clip.landmarks)
        return float((scene.seen(scene.points(code, betas, clip.views), clip.views) - clip.landmarks).abs().mean())

    assert error(taught) < 0.85 * error(encoder)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    kept = [name for name in before if "running" in name or "num_batches" in name]
    assert kept and all(torch.equal(taught.state_dict()[name], before[name]) for name in kept)


def test_refinement_leaves_the_lids_alone() -> None:
    before, after = torch.zeros(2, 52), torch.ones(2, 52)
    kept = with_lids(after, before)
    assert (kept[:, ARKIT_NAMES.index("eyeBlinkLeft")] == 0).all() and (
        kept[:, ARKIT_NAMES.index("jawOpen")] == 1
    ).all()
    assert kept.sum() == 2 * sum(not name.startswith("eye") for name in ARKIT_NAMES)


@pytest.mark.parametrize("num_frames", [1, 7, 20, 45])
def test_a_pass_of_refinement_sees_every_frame_once(num_frames: int) -> None:
    batches = _batches(num_frames, 20, torch.Generator().manual_seed(3))
    seen = torch.cat([frames[2:-2] for frames in batches])
    assert sorted(seen.tolist()) == list(range(num_frames))


def test_a_rotation_that_flips_its_quaternion_is_steady() -> None:
    angles = torch.linspace(3.0, 3.3, 20)  # the quaternion changes sign at pi
    turns = torch.linalg.matrix_exp(angles[:, None, None] * torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]]))
    assert float(unsteadiness(turns)[2:-2].max()) < 1e-3
    shaken = turns @ torch.linalg.matrix_exp(0.1 * torch.tensor([[0.0, 0, 1], [0, 0, 0], [-1, 0, 0]]))
    mixed = torch.where(torch.arange(20)[:, None, None] % 2 > 0, shaken, turns)
    assert float(unsteadiness(mixed).mean()) > 0.02


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
