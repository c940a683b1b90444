import csv
from pathlib import Path

import pytest
import torch

from facetalk.audio.phonemes import Phoneme
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.speech import write_mouth, write_phonemes, write_teacher
from facetalk.io.audio import read_waveform, write_wav
from facetalk.losses.speech import mouth_disagreement
from facetalk.networks.registry import load
from facetalk.pipelines.train import train
from facetalk.recipes.parts.speech_sampler import mouth_at
from facetalk.recipes.registry import read_training_config
from facetalk.recipes.speech_encoder import RECIPE, make_task

TINY = {
    "loop": {"num_steps": 4, "log_every": 2, "validate_every": 4, "save_every": 4},
    "encoder": {"width": 16, "dilations": [1, 2], "hidden": 8},
    "data": {
        "groups": [{"pattern": "seen_*", "frames": 20, "audio_lag_s": 0.04}, {"frames": 30}],
        "batch_frames": 120,
        "dev_speakers": ["kept"],
    },
}


@pytest.fixture
def speech_dir(tmp_path: Path) -> Path:
    """Four recordings of tones and pauses: two with a mouth, one by a speaker that is kept for validation."""
    folder = tmp_path / "speech"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    rows = [("seen_a", "one", 0.5), ("seen_b", "kept", 0.5), ("heard_a", "two", ""), ("heard_b", "three", "")]
    for name, _, _ in rows:
        times = torch.arange(24_000) / 16_000
        envelope = (torch.sin(2 * torch.pi * 2 * times) > 0).float()
        write_wav(folder / f"{name}.wav", torch.randn(24_000, generator=generator) * 0.1 * (envelope + 0.01))
        turns = [Phoneme("AA" if i % 2 == 0 else "SIL", i * 0.25, (i + 1) * 0.25) for i in range(6)]
        write_phonemes(folder / f"{name}.phones.csv", turns, 1.0)
        if name.startswith("seen"):
            moments = torch.arange(45) / 30
            opening = torch.sin(2 * torch.pi * 2 * moments)
            write_mouth(folder / f"{name}.mouth.csv", moments, torch.stack([opening, -opening, opening], 1))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("name", "speaker", "av_corr"), *rows])
    return folder


def test_a_run_writes_an_encoder_that_loads(speech_dir: Path, tmp_path: Path) -> None:
    result = train(_config(tmp_path), speech_dir, tmp_path / "run")
    encoder = load("speech-encoder", tmp_path / "run")
    assert encoder.encode(torch.randn(16_000) * 0.1).shape == (30, encoder.width)
    assert {"seen_* mouth_open", "seen_* right", "seen_* prior"} <= result.metrics.keys()


@pytest.mark.slow
def test_it_learns_the_toy_voice(speech_dir: Path) -> None:
    torch.manual_seed(0)
    options = TINY | {"bfloat16": False}
    options["data"] = TINY["data"] | {"augment": {"masks": 0, "throat": 0.0, "noise_share": 0.0, "babble_share": 0.0}}
    task = make_task(RECIPE.read_config(options), speech_dir)
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=3e-3)
    history = []
    for step in range(60):
        terms = task.loss_terms(step, task.sample(generator))
        total = torch.stack([task.loss_weights[name] * term for name, term in terms.items()]).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append({name: term.item() for name, term in terms.items()})
    for name in ("phonemes", "mouth"):
        assert history[-1][name] < 0.75 * history[0][name]


def test_the_same_seed_gives_the_same_batch(speech_dir: Path) -> None:
    task = make_task(RECIPE.read_config(TINY), speech_dir)
    first, second = (task.sampler.sample(torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_late_audio_is_matched_with_the_earlier_mouth(speech_dir: Path) -> None:
    options = {**TINY, "data": {**TINY["data"], "speed": 0.0}}
    task = make_task(RECIPE.read_config(options), speech_dir)
    example = next(e for members in task.sampler.members.values() for e in members if e.clip.name == "seen_a")
    mouth, known = mouth_at(example, torch.tensor([-0.04, 0.0, 1 / 30, 5.0], dtype=torch.float64))
    assert known.tolist() == [0, 1, 1, 0]
    torch.testing.assert_close(mouth[1:3], example.mouth[:2])


def test_perfect_and_opposite_mouths() -> None:
    true = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))
    known, weight = torch.ones(2, 40), torch.ones(2)
    assert mouth_disagreement(true, true, known, weight) < 0.01
    assert mouth_disagreement(-true, true, known, weight) > 2


def test_unknown_rows_do_not_count() -> None:
    true = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(0))
    predicted = true.clone()
    predicted[:, 30:] = 100.0
    known = (torch.arange(40) < 30).float()[None]
    assert mouth_disagreement(predicted, true, known, torch.ones(1)) < 0.01


def test_the_packaged_configuration_is_valid() -> None:
    options = read_training_config("speech-encoder")
    assert options.pop("method") == "speech-encoder"
    assert RECIPE.read_config(options).encoder.level == "running"


def test_missing_data_and_wrong_patterns_are_named(speech_dir: Path) -> None:
    with pytest.raises(UsageError, match="--data"):
        make_task(RECIPE.read_config(TINY), None)
    options = {**TINY, "data": {"groups": [{"pattern": "other_*"}]}}
    with pytest.raises(FacetalkError, match=r"data\.groups"):
        make_task(RECIPE.read_config(options), speech_dir)


def _config(tmp_path: Path) -> Path:
    import yaml

    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({"method": "speech-encoder", **TINY}))
    return path


@pytest.mark.slow
def test_it_learns_the_features_of_the_teacher(speech_dir: Path) -> None:
    for name in ("heard_a", "heard_b", "seen_a"):
        waveform = read_waveform(speech_dir / f"{name}.wav")
        loudness = waveform.unfold(0, 384, 384).square().mean(1).sqrt()
        write_teacher(speech_dir / f"{name}.moonshine.npy", (loudness[:, None] * 10 - 0.5) * torch.linspace(-1, 1, 8))
    torch.manual_seed(0)
    task = make_task(RECIPE.read_config(TINY | {"bfloat16": False}), speech_dir)
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=3e-3)
    history = []
    for step in range(60):
        terms = task.loss_terms(step, task.sample(generator))
        optimizer.zero_grad()
        terms["teacher"].backward()
        optimizer.step()
        history.append(terms["teacher"].item())
    assert sum(history[-5:]) < 0.6 * sum(history[:5])


def test_the_mouth_does_not_shape_the_features(speech_dir: Path) -> None:
    task = make_task(RECIPE.read_config(TINY | {"bfloat16": False}), speech_dir)
    terms = task.loss_terms(0, task.sample(torch.Generator().manual_seed(1)))
    terms["mouth"].backward()
    moved = {name for name, parameter in task.model.named_parameters() if parameter.grad is not None}
    assert moved == {"to_mouth.weight", "to_mouth.bias"}


def test_a_teacher_of_another_size_is_refused(speech_dir: Path) -> None:
    write_teacher(speech_dir / "heard_a.moonshine.npy", torch.zeros(60, 5))
    with pytest.raises(FacetalkError, match=r"have \[5\] components, the encoder predicts 8"):
        make_task(RECIPE.read_config(TINY), speech_dir)
