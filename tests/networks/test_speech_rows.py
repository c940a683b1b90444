from dataclasses import replace

import pytest
import torch

from facetalk.audio.leveled import LeveledWaveform
from facetalk.audio.prosody import prosody
from facetalk.core.errors import UsageError
from facetalk.networks.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from facetalk.networks.speech_rows import SpeechRows
from facetalk.networks.wav2vec import Wav2VecConfig, Wav2VecEncoder
from tests.recipes.toy import ToyEncoder

FRONT = Wav2VecConfig(
    width=8, num_layers=1, num_heads=2, inner=8, channels=(8, 8, 8), position_taps=4, position_groups=2
)


def noise(seconds: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    count = round(16_000 * seconds)
    loud = torch.rand(count // 4000 + 1, generator=generator).repeat_interleave(4000)[:count]
    return 0.1 * torch.randn(count, generator=generator) * loud


@pytest.fixture(scope="module", params=["front ends", "speech encoder"])
def source(request: pytest.FixtureRequest) -> SpeechRows:
    torch.manual_seed(0)
    if request.param == "front ends":
        return SpeechRows([Wav2VecEncoder(FRONT).eval() for _ in range(2)])
    return SpeechRows(SpeechEncoder(SpeechEncoderConfig(width=8, dilations=(1, 2), hidden=3, level="running")).eval())


def test_pitch_and_loudness_come_last_and_do_not_depend_on_blocks() -> None:
    waveform = noise(21.0)
    rows = SpeechRows(ToyEncoder()).encode(waveform)
    assert rows.shape == (630, SpeechRows(ToyEncoder()).width)
    whole = prosody(LeveledWaveform(waveform)[:][None], 630)[0]
    torch.testing.assert_close(rows[:, -3:], whole, atol=1e-3, rtol=0)


def test_front_ends_of_wav2vec_give_the_same_rows_in_pieces() -> None:
    torch.manual_seed(0)
    encoders = [Wav2VecEncoder(FRONT).eval() for _ in range(2)]
    waveform = noise(21.0)
    source = SpeechRows(encoders)
    rows = source.encode(waveform)
    assert rows.shape == (630, source.width)
    with torch.no_grad():
        whole = [encoder.front(LeveledWaveform(waveform)[:][None], 630)[0] for encoder in encoders]
    torch.testing.assert_close(rows[:, :-3], torch.cat(whole, 1), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [1600, 777, 40_000])
def test_a_stream_gives_the_rows_of_the_recording_and_of_its_ending(source: SpeechRows, size: int) -> None:
    waveform = noise(4.03)
    stream, parts, heard = source.start(), [], 0
    for piece in waveform.split(size):
        known, ending = stream.feed(piece, with_ending=heard > 20_000)
        heard += len(piece)
        parts.append(known)
        if len(ending):
            expected = source.encode(waveform[:heard])
            torch.testing.assert_close(torch.cat([*parts, ending]), expected, atol=1e-4, rtol=0)
        late_s = heard / 16_000 - sum(map(len, parts)) / 30
        assert late_s <= source.look_ahead_s + 0.1
    known, ending = stream.feed(torch.zeros(0), with_ending=True)
    torch.testing.assert_close(torch.cat([*parts, known, ending]), source.encode(waveform), atol=1e-4, rtol=0)


def test_what_is_held_does_not_grow(source: SpeechRows) -> None:
    from facetalk.networks.speech_rows import SideBySide, WaveformRowStream

    stream, held = source.start(), []
    own = stream._streams[1] if isinstance(stream, SideBySide) else stream
    assert isinstance(own, WaveformRowStream)
    for piece in noise(6.0).split(1600):
        stream.feed(piece, with_ending=True)
        held.append(len(own._held) + len(own._leveled._held))
    assert max(held) < 20_000


def test_parts_that_need_whole_recordings_are_refused() -> None:
    with pytest.raises(UsageError, match="hears whole recordings"):
        SpeechRows(ToyEncoder()).start()
    with pytest.raises(UsageError, match=r"front_norm: group\), so that it cannot listen"):
        SpeechRows([Wav2VecEncoder(replace(FRONT, front_norm="group"))]).start()
