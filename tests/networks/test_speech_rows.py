import torch

from facetalk.audio.prosody import prosody
from facetalk.networks.speech_rows import SpeechRows
from facetalk.networks.wav2vec import Wav2VecConfig, Wav2VecEncoder, standardized
from tests.recipes.toy import ToyEncoder

FRONT = Wav2VecConfig(
    width=8, num_layers=1, num_heads=2, inner=8, channels=(8, 8, 8), position_taps=4, position_groups=2
)


def noise(seconds: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    count = round(16_000 * seconds)
    loud = torch.rand(count // 4000 + 1, generator=generator).repeat_interleave(4000)[:count]
    return 0.1 * torch.randn(count, generator=generator) * loud


def test_pitch_and_loudness_come_last_and_do_not_depend_on_blocks() -> None:
    waveform = noise(21.0)
    rows = SpeechRows(ToyEncoder()).encode(waveform)
    assert rows.shape == (630, SpeechRows(ToyEncoder()).width)
    whole = prosody(standardized(waveform[None]), 630)[0]
    torch.testing.assert_close(rows[:, -3:], whole, atol=1e-3, rtol=0)


def test_front_ends_of_wav2vec_give_the_same_rows_in_pieces() -> None:
    torch.manual_seed(0)
    encoders = [Wav2VecEncoder(FRONT).eval() for _ in range(2)]
    waveform = noise(21.0)
    source = SpeechRows(encoders)
    rows = source.encode(waveform)
    assert rows.shape == (630, source.width)
    with torch.no_grad():
        whole = [encoder.front(standardized(waveform[None]), 630)[0] for encoder in encoders]
    torch.testing.assert_close(rows[:, :-3], torch.cat(whole, 1), atol=1e-3, rtol=1e-3)
