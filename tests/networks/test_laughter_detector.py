import pytest
import torch

from facetalk.audio.laughter_synthesis import synthesize_laugh
from facetalk.networks import laughter_detector
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.networks.registry import load


def test_a_long_recording_judged_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    detector = LaughterDetector(LaughterDetectorConfig(width=8)).eval()
    waveform = torch.randn(10 * 16_000, generator=torch.Generator().manual_seed(1)) * 0.1
    whole = detector.probability(waveform)
    monkeypatch.setattr(laughter_detector, "_CHUNK_FRAMES", 48)
    torch.testing.assert_close(detector.probability(waveform), whole)
    assert whole.shape == (300,)


def test_the_bundled_detector_hears_made_laughs_and_not_a_steady_tone() -> None:
    detector = load("laughter-detector")
    generator = torch.Generator().manual_seed(3)
    noise = 1e-3 * torch.randn(5 * 16_000, generator=generator)
    found = []
    for _ in range(6):
        laugh = synthesize_laugh(generator)[: 4 * 16_000]
        found.append(float(detector.probability(torch.cat([noise[:8000], laugh + noise[: len(laugh)]])).max()))
    assert sorted(found)[1] > 0.6
    tone = 0.2 * torch.sin(torch.arange(3 * 16_000) * 0.05) + noise[: 3 * 16_000]
    assert float(detector.probability(tone).max()) < 0.5


def test_silence_and_very_short_sounds_are_judged() -> None:
    detector = load("laughter-detector")
    assert float(detector.probability(torch.zeros(32_000)).max()) < 0.5
    assert detector.probability(torch.zeros(1600)).shape == (3,)
