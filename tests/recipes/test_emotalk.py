from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from facetalk.audio.phonemes import PHONEMES
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.emotional import Shown, emotional_faces
from facetalk.data.manifest import Clip
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES, IDLE_NAMES, indices
from facetalk.io.audio import write_wav
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.emotalk import EmoTalkNetwork
from facetalk.networks.registry import load
from facetalk.recipes.emotalk import RECIPE, EmoTalkTask, acted_recordings
from facetalk.recipes.parts.emotional_data import EmoTalkDataConfig, EmotionalExample, EmotionalSampler
from tests.networks.test_emotalk import FEATURES, TINY

SMILE = ARKIT_NAMES.index("mouthSmileLeft")
NEUTRAL, HAPPY = torch.full((52,), 0.2), torch.full((52,), 0.2).index_fill(0, torch.tensor([SMILE, SMILE + 1]), 0.6)


def example(
    seed: int, label: str = "", text: str = "", *, paired: bool = False, speaker: str = "a"
) -> EmotionalExample:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(40, FEATURES, generator=generator)
    expression = 0.2 + 0.1 * torch.rand(40, 52, generator=generator)
    phonemes = torch.randint(len(PHONEMES), (40,), generator=generator)
    clip = Clip(Path(), f"c{seed}", speaker, label, text=text)
    return EmotionalExample(clip, rows, expression, torch.ones(40), phonemes, torch.zeros(40) if paired else None)


def faces() -> Any:
    shown = (("neutral", NEUTRAL), ("happy", HAPPY))
    return emotional_faces(Shown("a", label, row.expand(5, -1)) for label, row in shown)


def recordings() -> list[EmotionalExample]:
    labels = [(label, text) for text in ("x", "y") for label in ("neutral", "happy")]
    return [example(10 + i, label, text, paired=True, speaker="actor") for i, (label, text) in enumerate(labels)]


def sampler(recorded: list[EmotionalExample], gap_dirs: torch.Tensor, **changes: Any) -> EmotionalSampler:
    config = RECIPE.read_config(
        {
            "network": {"sounds": list(TINY.sounds), "emotions": ["neutral"]},
            "data": {"length": 30, "batch_size": 3, "num_pairs": 2, "num_persons": 3, **changes},
        }
    ).data
    sounds = {name: index for index, name in enumerate(TINY.sounds)}
    clips = [example(0), example(1, speaker="b"), example(2, "happy", speaker="c")]
    return EmotionalSampler(clips, recorded, faces(), sounds, gap_dirs, config)


def make_task(assets: HeadAssets, recorded: list[EmotionalExample], **changes: Any) -> EmoTalkTask:
    options = {"network": {"sounds": ["neutral"], "emotions": ["neutral"]}, "optim": {"restart_step": 5}}
    config = RECIPE.read_config(options | changes)
    lips = LipGeometry(assets)
    torch.manual_seed(0)
    from dataclasses import replace

    network = EmoTalkNetwork(replace(TINY, emotions=("neutral", "happy")), FEATURES)
    return EmoTalkTask(config, network, lips, sampler(recorded, lips.curve_dirs[:, 0]), [])


def test_partners_say_what_they_say_with_the_emotion_of_the_other() -> None:
    made = sampler(recordings(), torch.zeros(52))
    batch = made.sample(torch.Generator().manual_seed(0))
    assert batch.pairs is not None
    assert batch.exchange is not None
    assert batch.pairs.rows.shape == (4, 30, FEATURES)
    smile = batch.pairs.expression[..., SMILE].mean(1)
    swapped = batch.exchange.swapped[..., SMILE].mean(1)
    happy = batch.pairs.sound == TINY.sounds.index("happy")
    assert int(happy.sum()) == 2
    assert (smile[happy] > 0.55).all()
    assert (smile[~happy] < 0.35).all()
    assert (swapped[happy] < 0.35).all()
    assert (swapped[~happy] > 0.55).all()
    for own, partner in ((0, 1), (1, 0), (2, 3), (3, 2)):
        assert torch.equal(batch.exchange.swapped_level[own], batch.pairs.level[partner])


def test_an_emotion_that_is_asked_for_shows_in_proportion_to_its_level() -> None:
    made = sampler(recordings(), torch.zeros(52))
    one = recordings()[0]
    levels = [float(made.shown(one, "happy", level, "a")[:, SMILE].mean()) for level in (0.0, 1.0, 2.0, 3.0)]
    steps = torch.tensor(levels).diff()
    torch.testing.assert_close(steps, torch.full((3,), 0.4 / 3), atol=1e-3, rtol=0)


def test_tracked_sentences_in_two_emotions_are_warped_onto_each_other() -> None:
    labels = [(label, text) for text in ("x", "y") for label in ("neutral", "happy")]
    tracked = [example(20 + i, label, text) for i, (label, text) in enumerate(labels)]
    config = RECIPE.read_config(
        {
            "network": {"sounds": ["neutral"], "emotions": ["neutral"]},
            "data": {"length": 30, "batch_size": 3, "num_pairs": 2},
        }
    ).data
    made = EmotionalSampler(tracked, [], faces(), {"neutral": 0, "happy": 1}, torch.zeros(52), config)
    batch = made.sample(torch.Generator().manual_seed(0))
    assert batch.exchange is not None
    known = torch.cat([clip.expression for clip in tracked])
    rows = batch.exchange.swapped.flatten(0, 1)
    assert (torch.cdist(rows, known).min(1).values < 0.01).all()
    assert (batch.exchange.asked_weight == 0).all()  # nobody knows how the person would look


def test_clips_without_an_emotion_are_ordinary_speech() -> None:
    made = sampler(recordings(), torch.zeros(52))
    made.sounds = {"neutral": 0, "fearful": 1, "ordinary": 2}
    labels = {"": 2, "unstated": 2, "neutral": 0, "calm": 0, "fear/strong": 1, "laughing": -1, "happy": -1}
    assert {label: made.sound_of(example(0, label)) for label in labels} == labels
    assert made.sound_of(example(0, "", paired=True)) == -1


def test_emotions_that_no_face_shows_are_only_heard(caplog: pytest.LogCaptureFixture) -> None:
    labels = [(label, text) for text in ("x", "y") for label in ("sad", "happy", "neutral")]
    recorded = [example(10 + i, label, text, paired=True, speaker="actor") for i, (label, text) in enumerate(labels)]
    made = sampler(recorded, torch.zeros(52))
    assert "no tracked face shows sad" in caplog.text
    assert len(made.quadruples) == 1
    assert any(e.clip.label == "sad" for e in made.spoken)
    assert made.sample(torch.Generator().manual_seed(0)).pairs is not None


def test_the_same_seed_gives_the_same_batch() -> None:
    first, second = (sampler(recordings(), torch.zeros(52)).sample(torch.Generator().manual_seed(3)) for _ in range(2))
    for part, other in zip(first, second, strict=True):
        assert part is not None and other is not None
        assert all(torch.equal(a, b) for a, b in zip(part, other, strict=True))


def test_all_terms_reach_the_network(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets, recordings(), data={"num_pairs": 2})
    task.model.network.decoder.to_motion.weight.data.normal_(0, 0.1)
    terms = task.loss_terms(5, task.sample(torch.Generator().manual_seed(0)))
    assert set(terms) == set(task.loss_weights)
    assert all(float(term.detach()) > 0 for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    missing = {name for name, value in task.model.named_parameters() if value.requires_grad and value.grad is None}
    assert not missing, missing


def test_at_first_only_the_emotion_encoder_learns(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets, recordings())
    batch = task.sample(torch.Generator().manual_seed(0))
    terms = task.loss_terms(4, batch)
    assert set(terms) == {"classification"}
    terms["classification"].backward()
    trained = {name for name, value in task.model.named_parameters() if value.grad is not None}
    assert trained
    assert all(name.startswith(("network.emotion_encoder", "network.context", "teacher")) for name in trained)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_reconstruction_reaches_the_emotion_encoder_by_a_share(toy_assets: HeadAssets, share: float) -> None:
    task = make_task(toy_assets, recordings(), reconstruction_share=share)
    task.model.network.decoder.to_motion.weight.data.normal_(0, 0.1)
    batch = task.sample(torch.Generator().manual_seed(0))
    task.model.eval()
    task.loss_terms(5, batch)["self"].backward()
    gradient = task.model.network.emotion_encoder.model.feature_projection.projection.weight.grad
    assert (gradient is not None and bool(gradient.any())) == (share > 0)


def test_every_emotion_is_heard_equally_often() -> None:
    recorded = [*recordings(), *(example(30 + i, "happy", "z", paired=True) for i in range(20))]
    made = sampler(recorded, torch.zeros(52), num_voices=40)
    voices = made.sample(torch.Generator().manual_seed(0)).voices
    assert voices is not None
    happy = float((voices.sound == TINY.sounds.index("happy")).float().mean())
    assert 0.3 < happy < 0.7


def test_without_recordings_it_trains_on_clips_alone(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets, [])
    batch = task.sample(torch.Generator().manual_seed(0))
    assert batch.pairs is None
    terms = task.loss_terms(5, batch)
    assert terms["self"] > 0
    assert terms["cross"] == terms["asked"] == 0


def test_labels_that_name_no_emotion_are_no_emotions(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets, [])
    task.sampler.by_sound.clear()
    batch = task.sample(torch.Generator().manual_seed(0))
    assert batch.voices is None
    terms = task.loss_terms(0, batch)
    assert terms["classification"] == 0
    assert terms["self"].requires_grad


def test_lids_and_gaze_are_left_alone(toy_assets: HeadAssets) -> None:
    task = make_task(toy_assets, recordings())
    network, columns = task.model.network, indices(IDLE_NAMES)
    assert (network.mean[columns] <= 0.1).all()
    task.loss_terms(5, task.sample(torch.Generator().manual_seed(0)))["self"].backward()
    gradient = network.decoder.to_motion.weight.grad
    assert gradient is not None
    assert (gradient[columns] == 0).all()
    assert (gradient != 0).any()


def test_it_learns_one_batch(toy_assets: HeadAssets, tmp_path: Path) -> None:
    task = make_task(toy_assets, recordings(), level_dropout=0.0)
    for module in task.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    batch = task.sample(torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(task.model.parameters(), 0.02)
    losses = []
    for _ in range(60):
        terms = task.loss_terms(5, batch)
        loss = terms["self"] + terms["cross"] + terms["asked"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    task.model.eval()
    task.export(tmp_path)
    again = load("talker", tmp_path)
    rows = torch.randn(1, 30, FEATURES)
    torch.testing.assert_close(
        again.listen(rows).content, task.model.network.listen(rows).content, atol=1e-2, rtol=1e-2
    )


def test_options_that_make_no_sense_are_refused() -> None:
    network = {"sounds": ["neutral"], "emotions": ["neutral"]}
    with pytest.raises(UsageError, match="both be shared"):
        RECIPE.read_config({"network": network, "content_encoder": {"name": "scratch"}})
    with pytest.raises(UsageError, match="network: sounds: unknown emotion 'hapy'; did you mean happy"):
        RECIPE.read_config({"network": {**network, "sounds": ["hapy"]}})
    with pytest.raises(FacetalkError, match="no clip with audio"):
        EmotionalSampler([], [], faces(), {}, torch.zeros(52), EmoTalkDataConfig())


def recorded(folder: Path, *rows: tuple[str, str, str], audio: bool = True) -> EmoTalkDataConfig:
    folder.mkdir()
    lines = ["name,speaker,label,text", *(f"{name},{speaker},{label},x" for name, speaker, label in rows)]
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    for name, *_ in rows if audio else ():
        write_wav(folder / f"{name}.wav", torch.zeros(1600))
    return EmoTalkDataConfig(recordings=str(folder), dev_speakers=("ada",))


def test_recordings_are_split_by_speaker(tmp_path: Path) -> None:
    assert acted_recordings(EmoTalkDataConfig()) == ([], [])
    config = recorded(tmp_path / "acted", ("a", "ada", "happy"), ("b", "ben", "sad"), ("c", "ben", "neutral"))
    train, validation = acted_recordings(config)
    assert [clip.name for clip in train] == ["b", "c"] and [clip.name for clip in validation] == ["a"]


def test_recordings_that_cannot_be_used_are_refused_before_clips_are_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    unusable = [
        (EmoTalkDataConfig(recordings=str(tmp_path / "gone")), "there is no such folder; give a folder of WAV files"),
        (EmoTalkDataConfig(recordings=str(tmp_path / "empty")), "it has no manifest.csv; give a folder of WAV files"),
        (recorded(tmp_path / "lost", ("a", "ben", "happy"), audio=False), "1 of 1 recordings are missing, like"),
        (recorded(tmp_path / "plain", ("a", "ben", "talk")), "no recording has a label that names an emotion"),
        (recorded(tmp_path / "held", ("a", "ada", "happy")), "no recording has a speaker beside those of"),
    ]
    for data, reason in unusable:
        with pytest.raises(FacetalkError, match=rf"data\.recordings=.*: {reason}"):
            acted_recordings(data)
    recorded(tmp_path / "clips", ("a", "ben", "happy"))  # a dataset without motion: reading it would fail otherwise
    config = RECIPE.read_config({"network": {"emotions": ["neutral"]}, "data": {"recordings": str(tmp_path / "gone")}})
    with pytest.raises(FacetalkError, match=r"data\.recordings="):
        RECIPE.make_task(config, tmp_path / "clips")
