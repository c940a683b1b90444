"""The contract of every recipe: its configuration round-trips, and a tiny task trains and exports a loadable folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from facetalk.audio.articulation import ARTICULATORS
from facetalk.audio.phonemes import PHONEMES, Phoneme
from facetalk.core.config import plain
from facetalk.core.errors import MissingAssetError, UsageError
from facetalk.data.dataset import read_example
from facetalk.data.emotional import Shown, emotional_faces
from facetalk.data.face_corpus import FaceCorpus
from facetalk.data.laughter import LaughterExample
from facetalk.data.manifest import Clip, read_manifest
from facetalk.data.speech import SpeechExample, read_speech, write_phonemes
from facetalk.data.tracked_renderer import TrackedRenderer
from facetalk.data.voiced import read_voiced
from facetalk.head.controls import Controls
from facetalk.io.audio import write_wav
from facetalk.io.weights import read_config
from facetalk.losses.geometry import LipGeometry, MouthVertices, PointGeometry
from facetalk.motion.face_scene import FaceScene
from facetalk.motion.heads import load_head
from facetalk.networks.critics import SyncCritic
from facetalk.networks.emotalk import EmoTalkNetwork
from facetalk.networks.expression_net import ExpressionNet
from facetalk.networks.face_encoder import CoarseEncoder
from facetalk.networks.laughtalk import LaughTalkNetwork
from facetalk.networks.laughter_detector import LaughterDetector
from facetalk.networks.lip_reader import PhonemeLipReader
from facetalk.networks.person_matte import MATTE_SIDE
from facetalk.networks.registry import load
from facetalk.networks.speech_encoder import SpeechEncoder
from facetalk.networks.speech_rows import SpeechRows
from facetalk.networks.styletalk import StyleTalkGenerator
from facetalk.recipes import (
    coarse_encoder,
    emotalk,
    expression_net,
    facial,
    laughtalk,
    laughter,
    lip_reader,
    nonverbal_encoder,
    person_matte,
    portrait,
    render2video,
    spectre,
    speech_encoder,
    style_critic,
    styletalk,
    sync_critic,
    verbal_encoder,
)
from facetalk.recipes.base import Recipe, RunConfig
from facetalk.recipes.evaluation.lip_reader import LabeledMouth
from facetalk.recipes.parts.emotional_data import EmotionalSampler
from facetalk.recipes.parts.laughing_data import LaughTalkSampler
from facetalk.recipes.parts.laughing_set import laughs_with_motion
from facetalk.recipes.parts.matte_data import MattedFrames
from facetalk.recipes.parts.person_frames import make_frames
from facetalk.recipes.registry import RECIPES, config_names, load_recipe, read_training_config
from facetalk.talkers.styletalk import StyleTalk
from facetalk.training.loop import LoopConfig, Task, add_gradients, initial_state, run
from facetalk.training.optim import OptimConfig
from facetalk.vision.landmark_detector import describe_detector
from tests.data.test_behavior import dataset as behaving_speakers
from tests.neural_rendering.people import footage
from tests.neural_rendering.people import head as person_head
from tests.recipes.toy import NUM_FEATURES, ToyEncoder, write_dataset
from tests.recipes.toy_faces import tiny_encoder, video_clip
from tests.recipes.toy_portraits import write_portraits

TINY_WAV2VEC = {
    "width": 8, "num_layers": 1, "num_heads": 2, "inner": 8, "channels": [8, 8, 8], "position_taps": 4,
    "position_groups": 2,
}  # fmt: skip

TINY: dict[str, dict[str, Any]] = {
    "coarse-encoder": {
        "encoder": {"coarse_width": 8, "coarse_hidden": 8, "marks_hidden": 8}, "data": {"batch_size": 4},
        "bfloat16": False,
    },
    "emotalk": {
        "optim": {"restart_step": 1, "warmup_steps": 1}, "amplitude": 1.0,
        "network": {
            "content": TINY_WAV2VEC, "emotion": {**TINY_WAV2VEC, "prosody": True}, "content_width": 8,
            "emotion_width": 4, "level_width": 2, "person_width": 2, "inner": 8,
        },
        "data": {"length": 16, "batch_size": 2, "num_pairs": 1, "num_voices": 2},
    },
    "expression-net": {"net": {"width": 8}, "data": {"batch_size": 2}, "bfloat16": False},
    "facial": {
        "network": {"plane_width": 4, "width": 8, "code": 4, "movement": {"width": 6}},
        "data": {"batch_size": 2, "dev_speakers": ["s2"]},
    },
    "laughter": {
        "detector": {"width": 4, "dilations": [1]},
        "data": {"frames": 30, "batch_size": 2, "pool_batches": 1, "num_generated": 1},
    },
    "laughtalk": {
        "loop": {"num_steps": 2}, "optim": {"restart_step": 1, "warmup_steps": 1}, "amplitude": 0.9,
        "encoder": {"name": "scratch"}, "emotion_encoder": {"name": "scratch"},
        "network": {
            "verbal": TINY_WAV2VEC, "nonverbal": {**TINY_WAV2VEC, "prosody": True},
            "decoder": {"width": 8, "num_heads": 2, "inner": 8},
        },
        "data": {"length": 24, "batch_size": 2, "num_synthesized": 2, "min_similarity": -1.0},
    },
    "lip-reader": {
        "reader": {"width": 8, "hidden": 8, "dilations": [1]}, "data": {"clip_frames": 6, "batch_size": 2},
        "bfloat16": False,
    },
    "nonverbal-encoder": {
        "network": {"encoder": {**TINY_WAV2VEC, "prosody": True}, "hidden": 4, "emotions": ["calm", "happy"]},
        "data": {"frames": 24, "batch_size": 2, "laughs_per_batch": 2, "laughter": {"num_generated": 1}},
    },
    "person-matte": {
        "net": {"fine": 8, "widths": [8, 8]}, "frames_per_clip": 2,
        "data": {"frames_per_clip": 4, "batch_size": 2, "dev_speakers": ["b"]},
    },
    "portrait": {
        "net": {"code": 8, "widths": [8, 8]},
        "data": {"frames_per_clip": 4, "batch_size": 1, "dev_speakers": ["b"]},
    },
    "render2video": {
        "network": {"size": 32, "widths": [8, 8, 8], "num_blocks": 1, "num_keyframes": 2},
        "critic": {"widths": [8, 8], "num_scales": 1}, "loss_weights": {"perceptual": 0.0}, "bfloat16": False,
    },
    "spectre": {"data": {"clip_frames": 8}, "loss_weights": {"lip_reading": 0.0, "emotion": 0.0}},
    "speech-encoder": {"encoder": {"width": 8, "dilations": [1], "hidden": 4}, "data": {"batch_frames": 60}},
    "style-critic": {"min_style_frames": 10, "critic": {"widths": [4, 4]}, "data": {"length": 16, "batch_size": 2}},
    "styletalk": {
        "generator": {
            "style": {"width": 8, "num_heads": 2}, "lower": {"width": 8, "num_heads": 2, "num_experts": 2},
            "upper": {"width": 8, "num_heads": 2, "num_experts": 2},
        },
        "data": {"length": 16, "batch_size": 2},
    },
    "sync-critic": {"critic": {"point_widths": [4], "width": 4}, "data": {"length": 16, "batch_size": 2}},
    "verbal-encoder": {"network": {"encoder": TINY_WAV2VEC, "hidden": 4}, "data": {"batch_frames": 60}},
}  # fmt: skip
"""Options that make each recipe small; a recipe without an entry fails the contract.

Convolutions over images have at least eight channels: with fewer, torch 2.13 crashes in the backward pass on processors
without AVX-512."""


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    return list(read_manifest(write_dataset(tmp_path / "data", (2.0, 2.0))))


def _coarse_encoder(config: Any, clips: list[Clip], folder: Path) -> Task:
    head = load_head()
    config = replace(config, encoder=replace(config.encoder, num_betas=head.num_betas))
    face = coarse_encoder.labeled_face(_in(folder), TrackedRenderer(head))
    return coarse_encoder.CoarseEncoderTask(
        config, CoarseEncoder(config.encoder), LipGeometry(head.assets), [face], [face]
    )


def _emotalk(config: Any, clips: list[Clip], folder: Path) -> Task:
    speech = ToyEncoder()
    source = SpeechRows(speech)
    labeled = [replace(clip, label=label, text="x") for clip in clips for label in ("happy/strong", "neutral")]
    labeled += [replace(clip, text="y") for clip in labeled]
    examples = [emotalk.read_clip(clip, source, speech, config)[0] for clip in labeled]
    lips = LipGeometry(load_head().assets)
    faces = emotional_faces(Shown(e.clip.speaker, e.clip.label, e.expression) for e in examples)
    sampler = EmotionalSampler(examples, [], faces, {"happy": 0, "neutral": 1}, lips.curve_dirs[:, 0], config.data)
    sizes = replace(
        config.network, sounds=("happy", "neutral"), emotions=faces.emotions, num_persons=len(sampler.persons)
    )
    return emotalk.EmoTalkTask(config, EmoTalkNetwork(sizes, source.width), lips, sampler, examples)


def _expression_net(config: Any, clips: list[Clip], folder: Path) -> Task:
    corpus = FaceCorpus([_in(folder)], [])
    return expression_net.ExpressionNetTask(config, ExpressionNet(config.net), TrackedRenderer(load_head()), corpus)


def _facial(config: Any, clips: list[Clip], folder: Path) -> Task:
    return facial.make_task(config, behaving_speakers(folder, (200, 300, 160)))


def _in(folder: Path):
    """A short clip of a face in a dataset folder."""
    (folder / "crops").mkdir(exist_ok=True)
    example = video_clip(load_head(), 10)
    return replace(example, clip=replace(example.clip, folder=folder))


def _laughter(config: Any, clips: list[Clip], folder: Path) -> Task:
    generator = torch.Generator().manual_seed(0)
    times = torch.arange(48_000) / 16_000
    voice = spoken(150, 3.0) * (torch.sin(6 * times) > 0)
    examples = [
        LaughterExample("talk", "a", False, voice.half(), torch.zeros(90, dtype=torch.bool)),
        LaughterExample("laugh", "b", True, torch.randn(48_000, generator=generator).half(), torch.ones(90) > 0),
    ]
    return laughter.LaughterTask(config, LaughterDetector(config.detector), examples, examples)


def _laughtalk(config: Any, clips: list[Clip], folder: Path) -> Task:
    assets = load_head().assets
    controls = Controls(assets.shape.expression_names)
    talking = [read_voiced(clip, controls, audio_lags_ms={}) for clip in clips]
    smiling = replace(talking[0], clip=replace(talking[0].clip, label="laughing"))
    lips = LipGeometry(assets)
    laughs = laughs_with_motion([smiling], controls, lips, config.data, seed=0)
    sampler = LaughTalkSampler(talking, [smiling], laughs, config.data)
    network = LaughTalkNetwork(config.network, controls.count)
    return laughtalk.LaughTalkTask(
        config, network, controls, (PointGeometry(assets), lips), sampler, [*talking, smiling]
    )


def _nonverbal_encoder(config: Any, clips: list[Clip], folder: Path) -> Task:
    voice = spoken(150, 3.0) * (torch.sin(6 * torch.arange(48_000) / 16_000) > 0)
    write_wav(folder / "a.wav", voice)
    write_wav(folder / "b.wav", 0.1 * torch.randn(48_000, generator=torch.Generator().manual_seed(0)))
    write_phonemes(folder / "a.phones.csv", [Phoneme("AA", 0.0, 1.0), Phoneme("SIL", 1.0, 2.0)], 1.0)
    examples = [
        read_speech(Clip(folder, "a", "one", "happy/strong")),
        read_speech(Clip(folder, "b", "two", "laughter")),
    ]
    return nonverbal_encoder.NonverbalEncoderTask(config, examples, examples)


def spoken(hertz: float, seconds: float) -> torch.Tensor:
    """A voice with a falling spectrum."""
    times = torch.arange(round(16_000 * seconds)) / 16_000
    return 0.1 * torch.stack([torch.sin(2 * torch.pi * hertz * k * times) / k for k in range(1, 8)]).sum(0)


def _lip_reader(config: Any, clips: list[Clip], folder: Path) -> Task:
    example = video_clip(load_head(), 10)
    posteriors = torch.full((10, len(PHONEMES)), 1 / len(PHONEMES))
    articulation = torch.rand(10, len(ARTICULATORS), generator=torch.Generator().manual_seed(0))
    shape = lip_reader.lip_distances(example)
    clip = LabeledMouth("s0", example.crops.mouths, posteriors, articulation, shape, example.trusted)
    return lip_reader.LipReaderTask(config, PhonemeLipReader(config.reader), [clip], [clip])


def _person_matte(config: Any, clips: list[Clip], folder: Path) -> Task:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 255, (3, 3, MATTE_SIDE, MATTE_SIDE), generator=generator).to(torch.uint8)
    opacity = torch.zeros(3, MATTE_SIDE, MATTE_SIDE, dtype=torch.uint8)
    opacity[:, 40:, 50:110] = 255
    frames = MattedFrames(images, opacity)
    return person_matte.PersonMatteTask(config, [frames], [frames])


def _portrait(config: Any, clips: list[Clip], folder: Path) -> Task:
    try:
        describe_detector()
    except MissingAssetError as error:
        pytest.skip(str(error))
    data = folder / "portraits"
    data.mkdir()
    write_portraits(data)
    return portrait.make_task(config, data)


def _render2video(config: Any, clips: list[Clip], folder: Path) -> Task:
    parts = [footage(24).cut(0, 24)]
    frames = make_frames(parts, person_head(), config.network, config.data)
    return render2video.Render2VideoTask(config, frames, [parts[0].cut(20, 24)])


def _spectre(config: Any, clips: list[Clip], folder: Path) -> Task:
    head = load_head()
    experts = spectre.Experts(None, None)
    return spectre.SpectreTask(
        config, tiny_encoder(head.num_betas), FaceScene(head), experts, [video_clip(head, 10)], []
    )


def noise_with_phonemes(folder: Path) -> SpeechExample:
    waveform = 0.1 * torch.randn(32_000, generator=torch.Generator().manual_seed(0))
    write_wav(folder / "a.wav", waveform)
    write_phonemes(folder / "a.phones.csv", [Phoneme("AA", 0.0, 1.0), Phoneme("SIL", 1.0, 2.0)], 1.0)
    return read_speech(Clip(folder, "a", "one"))


def _verbal_encoder(config: Any, clips: list[Clip], folder: Path) -> Task:
    example = noise_with_phonemes(folder)
    return verbal_encoder.VerbalEncoderTask(config, [example], [example])


def _speech_encoder(config: Any, clips: list[Clip], folder: Path) -> Task:
    example = noise_with_phonemes(folder)
    return speech_encoder.SpeechEncoderTask(config, SpeechEncoder(config.encoder), [example], [example])


def _style_critic(config: Any, clips: list[Clip], folder: Path) -> Task:
    return style_critic.make_task(config, clips[0].folder)


def _styletalk(config: Any, clips: list[Clip], folder: Path) -> Task:
    examples = [read_example(clip, ToyEncoder().encode, config.data) for clip in clips]
    talker = StyleTalk(StyleTalkGenerator(config.generator, NUM_FEATURES), ToyEncoder(), config.speaking)
    return styletalk.StyleTalkTask(config, talker, LipGeometry(load_head().assets), examples, examples)


def _sync_critic(config: Any, clips: list[Clip], folder: Path) -> Task:
    examples = [read_example(clip, ToyEncoder().encode, config.data) for clip in clips]
    mouth = MouthVertices(load_head().assets, 8)
    return sync_critic.SyncCriticTask(config, SyncCritic(NUM_FEATURES, config.critic), mouth, examples, examples)


TASKS: dict[str, Callable[[Any, list[Clip], Path], Task]] = {
    "coarse-encoder": _coarse_encoder,
    "emotalk": _emotalk,
    "expression-net": _expression_net,
    "facial": _facial,
    "laughter": _laughter,
    "laughtalk": _laughtalk,
    "lip-reader": _lip_reader,
    "nonverbal-encoder": _nonverbal_encoder,
    "person-matte": _person_matte,
    "portrait": _portrait,
    "render2video": _render2video,
    "spectre": _spectre,
    "speech-encoder": _speech_encoder,
    "style-critic": _style_critic,
    "styletalk": _styletalk,
    "sync-critic": _sync_critic,
    "verbal-encoder": _verbal_encoder,
}


@pytest.mark.parametrize("method", RECIPES)
def test_a_recipe_reads_its_configuration_and_writes_it_back(method: str) -> None:
    recipe = load_recipe(method)
    assert isinstance(recipe, Recipe)
    config = recipe.read_config(TINY[method])
    assert isinstance(config, RunConfig)
    assert recipe.read_config(plain(config)) == config
    with pytest.raises(UsageError, match=r"unknown option loop\.speed"):
        recipe.read_config({"loop": {"speed": 1}})


@pytest.mark.parametrize("method", RECIPES)
def test_a_tiny_task_trains_two_steps_and_exports_a_folder_that_loads(
    method: str, clips: list[Clip], tmp_path: Path
) -> None:
    config = load_recipe(method).read_config(TINY[method])
    torch.manual_seed(0)
    task = TASKS[method](config, clips, tmp_path)
    assert isinstance(task, Task)
    check_that_batches_are_independent(task)
    before = {name: value.clone() for name, value in task.model.named_parameters() if value.requires_grad}
    metrics = run(task, LoopConfig(num_steps=2, device="cpu"), OptimConfig(warmup_steps=1, average=0.0), tmp_path)
    assert all(isinstance(value, float) for value in metrics.values())
    after = dict(task.model.named_parameters())
    assert any(not torch.equal(value, after[name]) for name, value in before.items())
    entries = read_config(tmp_path / "config.yaml")
    assert entries["method"] == method
    trained = task.model.network if isinstance(task, emotalk.EmoTalkTask) else task.model
    assert_same_network(load(entries["kind"], tmp_path), trained)


def check_that_batches_are_independent(task: Task) -> None:
    """Several processes share the batches of a step: the losses of one must not depend on which came before."""
    state = initial_state(task, LoopConfig(device="cpu"), OptimConfig())
    alone, _, after_another = (add_gradients(task, state, seed, share=1.0) for seed in (2, 1, 2))
    assert alone.keys() == after_another.keys()
    for name, loss in alone.items():
        torch.testing.assert_close(loss, after_another[name], rtol=1e-4, atol=1e-5, msg=name)


def assert_same_network(found: nn.Module, expected: nn.Module) -> None:
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, atol=1e-3, rtol=1e-3, check_dtype=False)


@pytest.mark.parametrize("method", RECIPES)
def test_a_recipe_that_needs_data_says_so(method: str) -> None:
    recipe = load_recipe(method)
    with pytest.raises(UsageError, match="give --data DIR"):
        recipe.make_task(recipe.read_config({}), None)


@pytest.mark.parametrize("name", config_names())
def test_every_packaged_configuration_is_valid(name: str) -> None:
    options = read_training_config(name)
    config = load_recipe(options.pop("method")).read_config(options)
    assert config.loop.num_steps > 0


def test_a_list_is_read_where_a_configuration_names_it(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text('data: {dev_speakers: ["@dev-speakers", "Ann"], speeds: [1.0]}')
    data = read_training_config(path)["data"]
    assert "GRID:lbax4n" in data["dev_speakers"] and data["dev_speakers"][-1] == "Ann"
    assert data["speeds"] == [1.0]
    added = read_training_config(path, ['data.dev_speakers=["@dev-speakers", "Bob"]'])["data"]["dev_speakers"]
    assert added[-1] == "Bob" and "MEAD:W023" in added and "@dev-speakers" not in added
    path.write_text('data: {dev_speakers: ["@nobody"]}')
    with pytest.raises(UsageError, match="no list named @nobody; there are: @dev-speakers"):
        read_training_config(path)


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="method is 'magic'; known methods: coarse-encoder, "):
        load_recipe("magic")
