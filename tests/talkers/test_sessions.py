"""Talkers with chunks, phonemes and pasts of their own say in a stream what they say of the recording."""

from __future__ import annotations

import pytest
import torch

from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.segmentation import PhonemeTrack
from facetalk.audio.visemes import BILABIAL
from facetalk.core.emotions import EMOTIONS, EmotionTrack, level_row
from facetalk.core.errors import InvalidValueError, UsageError
from facetalk.core.motion import joined
from facetalk.head.channels import ARKIT_NAMES
from facetalk.talkers.base import Direction, RowSession, Session, StreamedListener, StreamingTalker
from facetalk.talkers.lip_contact import closure_of
from facetalk.talkers.sessions import STEP, SharedStream, Steps
from facetalk.talkers.spoken_stream import SpokenStream, lip_closure
from facetalk.talkers.voice_emotion import EASING_FRAMES, VoiceEmotion, levels_of_voice
from tests.recipes.toy import ToyEncoder
from tests.talkers.toys import listening_emotalk, listening_laughtalk, listening_talker

TRACK = EmotionTrack(
    torch.tensor([1.0, 4.0, 12.0]), torch.stack([level_row({"happy": 2}), level_row({"angry": 3}), level_row({})])
)


def speech(seconds: float) -> torch.Tensor:
    noise = torch.randn(round(16_000 * seconds), generator=torch.Generator().manual_seed(0))
    waveform = 0.2 * noise * torch.sin(torch.linspace(0, 7 * seconds, len(noise))) ** 2
    waveform[16_000 * 2 : 16_000 * 3] = 0
    return waveform


CASES = {
    "emotalk": (listening_emotalk, Direction()),
    "emotalk, a track": (listening_emotalk, Direction(emotion=TRACK, person="2")),
    "emotalk, own front ends": (lambda: listening_emotalk(own_fronts=True), Direction()),
    "laughtalk": (listening_laughtalk, Direction()),
    "styletalk, a track": (listening_talker, Direction(emotion=TRACK)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seconds", [0.5, 14.03])
def test_with_all_the_look_ahead_that_counts_a_stream_is_the_recording(case: str, seconds: float) -> None:
    make, direction = CASES[case]
    talker, waveform = make(), speech(seconds)
    assert isinstance(talker, StreamingTalker)
    session, parts, heard = talker.start(direction), [], 0
    assert isinstance(session, Session)
    for piece in waveform.split(5000):
        parts.append(session.feed(piece))
        heard += len(piece)
        known_s = sum(part.num_frames for part in parts) / 30
        assert heard / 16_000 - known_s < talker.look_ahead_s + 6.2, "chunks come as a whole"
    streamed = joined([*parts, session.finish()])
    quiet = Direction(laughter=0.0) if case == "laughtalk" else direction
    whole = talker.speak(waveform, quiet)
    torch.testing.assert_close(streamed.expression, whole.expression, rtol=0, atol=1e-5)
    assert streamed.expression.std(0).max() > 1e-5


@pytest.mark.parametrize("case", [case for case in CASES if case != "laughtalk"])
def test_the_last_frames_of_a_stream_are_those_of_a_recording_that_ends_there(case: str) -> None:
    make, direction = CASES[case]
    talker, waveform = make(), speech(9.0)
    session = talker.start(direction, look_ahead_s=0.0)
    streamed = session.feed(waveform).expression
    assert len(streamed) == 270
    whole = talker.speak(waveform, direction)
    torch.testing.assert_close(streamed[-3:], whole.expression[-3:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [listening_emotalk, listening_laughtalk])
def test_what_a_session_holds_does_not_grow(make: object) -> None:
    session = make().start(look_ahead_s=0.3)  # type: ignore[operator]
    held = []
    for piece in speech(20.0).split(16_000):
        session.feed(piece)
        held.append(len(session._rows))
    assert max(held) <= 400


def test_a_laughing_talker_does_not_laugh_in_a_stream() -> None:
    with pytest.raises(UsageError, match="listening in a stream does not support --laughter"):
        listening_laughtalk().start(Direction(laughter=1.0))


def test_a_finished_session_is_finished() -> None:
    session = listening_talker().start()
    session.feed(speech(0.5))
    assert session.finish().num_frames == 15
    with pytest.raises(UsageError, match="is finished; start another one"):
        session.feed(speech(0.5))
    with pytest.raises(UsageError, match="is finished; start another one"):
        session.finish()


def test_samples_come_in_steps() -> None:
    steps, waveform = Steps(), torch.arange(4000.0)
    assert steps.feed(waveform[:1500]) == []
    taken = steps.feed(waveform[1500:])
    assert [len(step) for step in taken] == [STEP, STEP]
    assert torch.equal(torch.cat([*taken, steps.finish()]), waveform)
    with pytest.raises(InvalidValueError, match="not finite"):
        Steps().feed(torch.tensor([float("nan")]))


def test_what_several_sessions_share_is_heard_once() -> None:
    class Counting:
        width, fed = 1, 0

        def feed(self, samples: torch.Tensor, with_ending: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
            self.fed += 1
            return samples[:, None], samples[:0, None]

    stream = Counting()
    shared = SharedStream(stream, 2)
    first, second = shared.share(0), shared.share(1)
    for piece in speech(1.0).split(3000):
        assert torch.equal(first.feed(piece)[0], piece[:, None])
        assert torch.equal(second.feed(piece)[0], piece[:, None])
    assert stream.fed == 6 and not any(shared._fed)


@pytest.mark.parametrize("seed", range(3))
def test_lips_close_on_the_phonemes_of_the_recording(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = (2 * torch.randn(200, len(PHONEMES), generator=generator)).softmax(1)
    for label in BILABIAL:
        probabilities[torch.rand(200, generator=generator) < 0.1, PHONEMES.index(label)] = 1.0
    rows = torch.cat([torch.zeros(200, 6), probabilities], 1)

    class Rows:
        width, place = rows.shape[1], 0

        def feed(self, samples: torch.Tensor, with_ending: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
            start, self.place = self.place, min(self.place + len(samples), 190)
            return rows[start : self.place], rows[self.place : self.place + 10] if with_ending else rows[:0]

    track = PhonemeTrack()
    track.feed(probabilities)
    expected = closure_of(track.finish(), 200)
    stream, parts, ending = SpokenStream(Rows(), ToyEncoder()), [], torch.zeros(0)
    for _ in range(19):
        known, ending = stream.feed(torch.zeros(10), with_ending=True)
        parts.append(known)
    heard = torch.cat([*parts, ending])
    torch.testing.assert_close(heard[:, :-1], rows)
    torch.testing.assert_close(lip_closure(heard[:, -1]), expected)
    assert 0.05 < float(expected.mean()) < 0.9


def test_a_voice_is_heard_in_a_stream_as_in_the_recording() -> None:
    talker, waveform = listening_emotalk(), speech(17.0)
    assert isinstance(talker, StreamedListener)
    session = talker.start_hearing()
    assert isinstance(session, RowSession)
    rows = torch.cat([*(session.feed(piece) for piece in waveform.split(7000)), session.finish()])
    torch.testing.assert_close(rows, talker.hear_emotion(waveform), rtol=0, atol=1e-5)
    assert float(rows.std(0).max()) > 0.01


def test_the_emotion_of_a_voice_so_far_eases_in_and_goes_on() -> None:
    waveform, happy = speech(4.0), EMOTIONS.index("happy")
    voice = VoiceEmotion(listening_emotalk(happy=True).start_hearing(0.3))
    assert float(voice.frames(5).abs().max()) == 0
    for piece in waveform.split(1600):
        voice.feed(piece)
    voice.finish()
    levels = voice.frames(130)
    assert levels.shape == (130, len(EMOTIONS)) and torch.equal(levels[119], levels[129])
    assert float(levels[:, happy].max()) > 1.8
    assert float(levels.diff(dim=0).abs().max()) < 2.0 / EASING_FRAMES
    assert torch.equal(voice.frames(7, first=50), levels[50:57])


def test_what_is_doubtful_is_not_shown() -> None:
    rows = torch.zeros(3, len(EMOTIONS))
    rows[0, EMOTIONS.index("sad")], rows[1, EMOTIONS.index("sad")], rows[2, 0] = 0.2, 0.9, 1.0
    assert levels_of_voice(rows).sum(1).tolist() == [0, 2, 0]


def test_motions_are_joined() -> None:
    motion = listening_talker().speak(speech(1.0))
    parts = [motion.cut(0, 7), motion.cut(7, 7), motion.cut(7, 30)]
    assert torch.equal(joined(parts).expression, motion.expression)
    assert joined(parts).expression_names == ARKIT_NAMES and joined(parts).events == ()
