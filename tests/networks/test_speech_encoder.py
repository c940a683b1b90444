from dataclasses import replace

import pytest
import torch

from facetalk.audio.phonemes import PHONEMES
from facetalk.core.timing import frames_for
from facetalk.networks import speech_encoder
from facetalk.networks.speech_encoder import SpeechEncoder, SpeechEncoderConfig

TOY = SpeechEncoderConfig(width=16, dilations=(1, 4), hidden=8)


def toy_encoder(level: str = "recording") -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(replace(TOY, level=level)).eval()


def speechlike(seconds: float) -> torch.Tensor:
    times = torch.arange(round(16_000 * seconds)) / 16_000
    noise = torch.randn(len(times), generator=torch.Generator().manual_seed(2))
    return noise * 0.05 * (1.2 + torch.sin(2 * torch.pi * 3 * times))


@pytest.mark.parametrize("seconds", [0.1, 0.4, 1.0, 2.017, 7.33])
def test_there_is_one_row_per_video_frame(seconds: float) -> None:
    encoder = toy_encoder()
    assert encoder.encode(speechlike(seconds)).shape == (frames_for(seconds), encoder.width)


def test_the_columns_are_named_and_complete() -> None:
    encoder = toy_encoder()
    columns = [i for part in encoder.slices.values() for i in range(part.start, part.stop)]
    assert columns == list(range(encoder.width))
    features = encoder.encode(speechlike(1.0))
    torch.testing.assert_close(features[:, encoder.slices["posteriors"]].sum(1), torch.ones(30))


@pytest.mark.parametrize("level", ["recording", "running"])
@pytest.mark.parametrize("chunk", [30, 47, 100])
def test_a_long_recording_in_pieces_gives_the_same_rows(
    chunk: int, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, waveform = toy_encoder(level), speechlike(7.0)
    whole = encoder.encode(waveform)
    monkeypatch.setattr(speech_encoder, "_CHUNK_FRAMES", chunk)
    torch.testing.assert_close(encoder.encode(waveform), whole, atol=1e-5, rtol=1e-5)


def test_the_recording_level_does_not_matter() -> None:
    encoder, waveform = toy_encoder(), speechlike(2.0)
    torch.testing.assert_close(encoder.encode(waveform * 0.3), encoder.encode(waveform), atol=2e-3, rtol=0)


def test_a_deeper_encoder_starts_as_the_trained_one() -> None:
    trained = toy_encoder()
    for parameter in trained.parameters():
        parameter.data.add_(0.1)
    deeper = SpeechEncoder(replace(TOY, dilations=(1, 4, 2), hidden=3)).eval()
    deeper.continue_from(trained)
    mel = torch.randn(1, 100, 80)
    ours, theirs = deeper(mel, 20), trained(mel, 20)
    torch.testing.assert_close(ours.phonemes, theirs.phonemes)
    assert ours.hidden.shape[2] == 3
    ours.phonemes.sum().backward()
    gradients = [value.grad for value in deeper.get_submodule("layers.2.mix").parameters()]
    assert all(gradient is not None and bool(gradient.any()) for gradient in gradients)


def test_an_encoder_of_other_layers_is_no_start() -> None:
    with pytest.raises(ValueError, match="the first layers must be the same"):
        SpeechEncoder(replace(TOY, dilations=(4, 1))).continue_from(toy_encoder())


def test_near_silence_is_not_turned_up() -> None:
    encoder = toy_encoder()
    mel = encoder.leveled_mel(torch.randn(1, 16_000) * 1e-4)
    assert float(mel.logsumexp(2).max()) < 0


def test_with_the_running_level_a_beginning_does_not_depend_on_what_follows() -> None:
    encoder, beginning = toy_encoder("running"), speechlike(10.0)
    alone = encoder.encode(beginning)
    whole = encoder.encode(torch.cat([beginning, 5 * speechlike(20.0)]))
    settled = 300 - encoder._margin_frames - 18  # half a second ahead, and the context of the layers
    torch.testing.assert_close(whole[:settled], alone[:settled], atol=1e-5, rtol=1e-5)


def test_a_clip_does_not_depend_on_its_batch() -> None:
    encoder = toy_encoder()
    mel = torch.randn(3, 100, 80)
    torch.testing.assert_close(encoder(mel, 30).mouth[1], encoder(mel[1:2], 30).mouth[0])


def test_later_sound_does_not_reach_rows_beyond_the_context() -> None:
    encoder, waveform = toy_encoder(), speechlike(4.0)
    mel = encoder.leveled_mel(waveform[None])
    changed = mel.clone()
    changed[:, 300:] += 3.0
    before, after = encoder(mel, 120).hidden[0], encoder(changed, 120).hidden[0]
    reach = encoder._margin_frames
    torch.testing.assert_close(before[: 90 - reach], after[: 90 - reach])
    assert not torch.allclose(before[88:], after[88:])


def test_an_empty_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="dilations has 0 values"):
        SpeechEncoderConfig(dilations=())
    with pytest.raises(ValueError, match="level='peak' must be one of recording, running"):
        SpeechEncoderConfig(level="peak")


@pytest.mark.data
def test_the_bundled_encoder_hears_silence_and_speech(data_dir) -> None:
    from facetalk.audio.phonemes import SILENCE
    from facetalk.io.audio import read_waveform
    from facetalk.networks.registry import load

    encoder = load("speech-encoder")
    features = encoder.encode(read_waveform(data_dir / "video/grid/lbax4n.mp4"))
    heard = features[:, encoder.slices["posteriors"]].argmax(1)
    assert (heard[:10] == SILENCE).all()
    assert (heard[15:60] == SILENCE).float().mean() < 0.3


def test_columns_of_phonemes_hold_their_posteriors() -> None:
    encoder = toy_encoder()
    features = encoder.encode(speechlike(0.5))
    everything = features[:, list(encoder.columns(*PHONEMES))]
    torch.testing.assert_close(everything, features[:, encoder.slices["posteriors"]])
    torch.testing.assert_close(everything.sum(1), torch.ones(len(features)))
    assert encoder.columns("F", "V") == (PHONEMES.index("F"), PHONEMES.index("V"))
