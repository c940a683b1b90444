import pytest
import torch

from facetalk.audio.level import PAUSE, QUIETEST, RunningLevel, recording_level, running_level


def speech(num_rows: int, level: float = 5.0, seed: int = 0) -> torch.Tensor:
    """Loudness of syllables with pauses that are much quieter."""
    generator = torch.Generator().manual_seed(seed)
    syllables = level - 3 * torch.rand(num_rows, generator=generator)
    pauses = (torch.arange(num_rows) // 40) % 4 == 3
    return torch.where(pauses, syllables - 11, syllables)


def test_the_level_of_a_recording_is_a_quantile_of_what_is_no_pause() -> None:
    loudness = speech(1000)
    heard = loudness[loudness > loudness.max() - PAUSE]
    assert float(recording_level(loudness[None])[0]) == pytest.approx(float(heard.quantile(0.9)), abs=1e-4)
    padded = torch.cat([torch.full((4000,), -10.0), loudness])
    torch.testing.assert_close(recording_level(padded[None]), recording_level(loudness[None]))
    assert float(recording_level(torch.full((1, 50), -9.0))) == QUIETEST


@pytest.mark.parametrize("level", [0.5, 3.0, 5.0, 8.0])
def test_the_running_level_soon_reaches_that_of_the_recording(level: float) -> None:
    loudness = speech(1500, level)
    running, whole = running_level(loudness), float(recording_level(loudness[None]))
    assert len(running) == 1500
    assert float((running[200:] - whole).abs().max()) < 0.35


def test_the_running_level_follows_a_quieter_speaker() -> None:
    running = running_level(torch.cat([speech(1000, 8.0), speech(6000, 2.0, seed=1)]))
    assert float(running[900]) == pytest.approx(7.7, abs=0.4)
    assert float(running[-1]) == pytest.approx(1.7, abs=0.5)


def test_noise_before_the_first_word_is_no_speech() -> None:
    noise = -6 + 0.1 * torch.randn(300, generator=torch.Generator().manual_seed(0))
    assert float(running_level(torch.cat([noise, speech(300)]))[:200].min()) > 3


@pytest.mark.parametrize("pieces", [(1, 7, 492), (250, 250), (499, 1), (500,)])
def test_the_running_level_does_not_depend_on_the_pieces(pieces: tuple[int, ...]) -> None:
    loudness, meter, found = speech(500), RunningLevel(), []
    for index, piece in enumerate(loudness.split(pieces)):
        found.append(meter.feed(piece, last=index == len(pieces) - 1))
    torch.testing.assert_close(torch.cat(found), running_level(loudness))


def test_known_levels_do_not_change_when_more_is_heard() -> None:
    beginning, rest = speech(500), speech(500, 9.0, seed=2)
    known = RunningLevel().feed(beginning)
    assert len(known) >= 440
    torch.testing.assert_close(known, running_level(torch.cat([beginning, rest]))[: len(known)])


def test_the_levels_of_very_short_recordings_are_complete() -> None:
    for count in (1, 9, 10, 11, 61):
        assert len(running_level(torch.zeros(count))) == count
