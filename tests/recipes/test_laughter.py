import csv
from pathlib import Path

import pytest
import torch

from facetalk.audio.laughter_synthesis import synthesize_laugh
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.laughter import LaughterExample, laughing_frames, read_laughter_pack
from facetalk.data.laughter_mixing import LaughterDataConfig, LaughterSampler, recorded_laughs
from facetalk.io.audio import write_wav
from facetalk.networks.registry import load
from facetalk.pipelines.train import train
from facetalk.recipes.laughter import RECIPE, make_task
from facetalk.recipes.registry import read_training_config

TINY = {
    "method": "laughter",
    "loop": {"num_steps": 3, "log_every": 1, "validate_every": 3, "save_every": 3},
    "detector": {"width": 8, "dilations": [1, 2]},
    "data": {"frames": 45, "batch_size": 4, "pool_batches": 3, "num_generated": 3, "held_out": ["kept*"]},
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Two laughs, two voices; one of each by a speaker that is kept for validation."""
    folder = tmp_path / "pack"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    times = torch.arange(3 * 16_000) / 16_000
    voice = sum(torch.sin(2 * torch.pi * 150 * k * times) / k for k in range(1, 8)) * (torch.sin(6 * times) > 0)
    waveforms = {
        name: 0.1 * voice + 1e-3 * torch.randn(len(times), generator=generator) for name in ("talk_a", "talk_b")
    }
    waveforms |= {name: 0.5 * synthesize_laugh(generator) for name in ("laugh_a", "laugh_b")}
    rows = []
    for name, waveform in waveforms.items():
        write_wav(folder / f"{name}.wav", waveform)
        kind = "laughter" if name.startswith("laugh") else "speech"
        rows.append((f"{name}.wav", kind, "kept" if name.endswith("b") else "heard", "1"))
    with (folder / "MANIFEST.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "kind", "speaker", "has_audio"), *rows])
    return folder


def test_a_run_writes_a_detector_that_loads(pack: Path, tmp_path: Path) -> None:
    import yaml

    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    figures = train(config, pack, tmp_path / "run").metrics
    assert figures.keys() == {"found", "false_alarms", "frame_auc"}
    assert load("laughter-detector", tmp_path / "run").probability(torch.zeros(16_000)).shape == (30,)


def test_other_sounds_are_mixed_in_like_laughs_but_are_none() -> None:
    quiet, cough = torch.full((48_000,), 1e-4).half(), torch.full((8_000,), 0.5).half()
    silent = torch.zeros(90, dtype=torch.bool)
    examples = [
        LaughterExample("talk", "a", False, quiet, silent),
        LaughterExample("human/cough", "b", False, cough, silent[:15]),
        LaughterExample("laugh", "c", True, 0.1 * torch.ones(16_000).half(), torch.ones(30, dtype=torch.bool)),
    ]
    chosen = {"laugh_share": 0.0, "quiet_share": 1.0, "num_generated": 0, "sounds": ("human/*",)}
    without = LaughterSampler(examples, LaughterDataConfig(**chosen), 0).sample(torch.Generator().manual_seed(0))
    mixed = LaughterSampler(examples, LaughterDataConfig(**chosen, sound_share=1.0), 0)
    batch = mixed.sample(torch.Generator().manual_seed(0))
    assert (batch.waveform.std(1) > 5 * without.waveform.std(1)).all()
    assert not batch.laughing.any()
    with pytest.raises(FacetalkError, match=r"no recording matches data\.sounds"):
        LaughterSampler(examples[::2], LaughterDataConfig(**chosen, sound_share=1.0), 0)


@pytest.mark.slow
def test_it_learns_the_toy_laughs(pack: Path) -> None:
    torch.manual_seed(0)
    options = {key: value for key, value in TINY.items() if key != "method"}
    task = make_task(RECIPE.read_config(options | {"data": TINY["data"] | {"pool_batches": 20}}), pack)
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=1e-2)
    history = []
    for step in range(80):
        loss = task.loss_terms(step, task.sample(generator))["frames"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert sum(history[-10:]) < 0.85 * sum(history[:10])


def test_laughs_are_where_the_labels_say(pack: Path) -> None:
    examples = read_laughter_pack(pack, ["*"], {})
    sampler = LaughterSampler(
        examples, LaughterDataConfig(num_generated=3, laugh_share=1.0, quiet_share=1.0, speed=0.0), 0
    )
    batch = sampler.sample(torch.Generator().manual_seed(0))
    level = batch.waveform.unfold(1, 533, 533).square().mean(2)[:, :88].log()
    laughing = batch.laughing[:, :88].bool() & (batch.weight[:, :88] > 0)
    quiet = ~batch.laughing[:, :88].bool() & (batch.weight[:, :88] > 0)
    assert float(level[laughing].mean()) > float(level[quiet].mean()) + 3


def test_the_same_seed_gives_the_same_batch(pack: Path) -> None:
    sampler = LaughterSampler(read_laughter_pack(pack, ["*"], {}), LaughterDataConfig(num_generated=3), 0)
    first, second = (sampler.sample(torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_given_times_limit_the_laugh() -> None:
    waveform = 0.1 * torch.randn(32_000, generator=torch.Generator().manual_seed(0))
    assert laughing_frames(waveform, None).sum() == 60
    assert laughing_frames(waveform, [(0.5, 1.0)]).nonzero()[:, 0].tolist() == list(range(15, 30))
    assert not laughing_frames(waveform, ()).any()


def test_laughs_are_cut_out_of_their_recording(pack: Path) -> None:
    example = next(e for e in read_laughter_pack(pack, ["*"], {"laugh_a.wav": [[0.0, 0.6]]}) if e.path == "laugh_a.wav")
    (laugh,) = recorded_laughs(example)
    assert len(laugh) / 16_000 == pytest.approx(0.6, abs=0.05)


def test_missing_data_is_named(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --data DIR"):
        make_task(RECIPE.read_config({}), None)
    with pytest.raises(UsageError, match=r"no MANIFEST\.csv"):
        read_laughter_pack(tmp_path, ["*"], {})
    with pytest.raises(FacetalkError, match="none of the 2 chosen recordings"):
        read_laughter_pack(pack, ["talk*"], {})


def test_the_packaged_configuration_is_valid() -> None:
    options = read_training_config("laughter")
    assert options.pop("method") == "laughter"
    assert RECIPE.read_config(options).detector.num_mels == 64
