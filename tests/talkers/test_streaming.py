"""A talker that reads a recording as it needs it says the same as one that is given all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.io.audio import Waveform, read_waveform, write_wav
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.motion.gestures.registry import add_gestures
from facetalk.networks import speech_encoder
from facetalk.networks.styletalk import SpeechFeatures, feature_blocks
from facetalk.talkers import styletalk
from tests.recipes.toy import ToyEncoder
from tests.talkers.toys import listening_talker, toy_talker


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    write_wav(tmp_path / "a.wav", 0.2 * torch.randn(16_000 * 5, generator=torch.Generator().manual_seed(0)))
    return tmp_path / "a.wav"


def test_streamed_speech_gives_exactly_the_motion_of_the_whole(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_encoder, "_CHUNK_FRAMES", 30)
    monkeypatch.setattr(styletalk, "CHUNK_FRAMES", 20)
    talker, waveform = listening_talker(), read_waveform(recording)
    whole = add_gestures(talker.speak(waveform), waveform)
    with StreamedAudio(recording) as audio:
        streamed = add_gestures(talker.speak(audio), audio)
    assert torch.equal(streamed.expression, whole.expression)
    assert torch.equal(streamed.neck_pose, whole.neck_pose)
    assert whole.num_frames == 150
    assert streamed.events == whole.events
    phonemes = whole.events_of("phoneme")
    assert (phonemes[0].start, phonemes[-1].end) == (0, pytest.approx(5.0))
    assert {event.kind for event in whole.events} == {"phoneme", "blink"}


def test_only_the_samples_in_work_are_read(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_encoder, "_CHUNK_FRAMES", 30)
    asked: list[int] = []

    class Watched(StreamedAudio):
        def __getitem__(self, samples: slice) -> torch.Tensor:
            part = super().__getitem__(samples)
            asked.append(len(part))
            return part

    monkeypatch.setattr("facetalk.audio.spectrogram._PIECE", 100)
    with Watched(recording) as audio:
        listening_talker().speak(audio)
    assert max(asked) < 16_000 * 3


def test_features_that_need_the_whole_recording_get_it(recording: Path) -> None:
    class Whole(ToyEncoder):
        def encode(self, waveform: Waveform) -> torch.Tensor:
            assert isinstance(waveform, torch.Tensor)
            return super().encode(waveform)

    features: SpeechFeatures = Whole()
    with StreamedAudio(recording) as audio:
        (block,) = feature_blocks(features, audio)
    assert len(block) == 150


def test_features_with_too_few_rows_are_refused() -> None:
    class Short(ToyEncoder):
        def encode(self, waveform: Waveform) -> torch.Tensor:
            return super().encode(waveform[:])[:-3]

    talker = toy_talker()
    talker.speech = Short()
    with pytest.raises(ValueError, match="27 rows for 30 frames"):
        talker.speak(torch.randn(16_000))
