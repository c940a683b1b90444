from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetalk.audio.phonemes import PHONEMES
from facetalk.core.config import plain
from facetalk.core.emotions import EMOTIONS, EmotionTrack
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.weights import write_model
from facetalk.networks.emotalk import EmoTalkConfig, EmoTalkNetwork
from facetalk.talkers import emotalk
from facetalk.talkers.base import Direction, EmotionalTalker, EmotionListener, Talker
from facetalk.talkers.emotalk import EmoTalk, over_speech, smoothed
from tests.networks.test_emotalk import TINY
from tests.recipes.toy import NUM_FEATURES, ToyEncoder


class HearsAnM(ToyEncoder):
    """An M in every second half of a second."""

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        rows = super().encode(waveform)
        labels = torch.where(torch.arange(len(rows)) // 15 % 2 == 1, PHONEMES.index("M"), PHONEMES.index("AA"))
        rows[:, 6:] = torch.nn.functional.one_hot(labels, len(PHONEMES)).float()
        return rows


def make_network(config: EmoTalkConfig = TINY) -> EmoTalkNetwork:
    torch.manual_seed(0)
    network = EmoTalkNetwork(config, NUM_FEATURES + 3).eval().requires_grad_(False)
    network.decoder.to_motion.weight.normal_(0, 0.3)
    network.asked.normal_()
    network.mean.fill_(0.3)
    network.spread.fill_(0.1)
    return network


@pytest.fixture
def talker() -> EmoTalk:
    return EmoTalk(make_network(), HearsAnM(), head="toy", num_betas=3)


def speech(seconds: float = 3.0) -> torch.Tensor:
    return 0.1 * torch.randn(round(16_000 * seconds), generator=torch.Generator().manual_seed(0))


def asking(**levels: float) -> Direction:
    return Direction(emotion=EmotionTrack.constant(levels))


def test_it_is_a_talker_that_shows_and_hears_emotions(talker: EmoTalk) -> None:
    assert isinstance(talker, Talker)
    assert isinstance(talker, EmotionalTalker)
    assert isinstance(talker, EmotionListener)
    motion = talker.speak(speech())
    assert motion.expression.shape == (90, 52)
    assert ((motion.expression >= 0) & (motion.expression <= 1)).all()
    assert motion.events_of("phoneme")


def test_emotions_and_people_change_the_face(talker: EmoTalk) -> None:
    waveform = speech()
    plain_face, happy, angry = (
        talker.speak(waveform, direction).expression for direction in (None, asking(happy=2), asking(angry=2))
    )
    assert not torch.equal(plain_face, happy)
    assert not torch.equal(happy, angry)
    someone = talker.speak(waveform, Direction(emotion=EmotionTrack.constant({"happy": 2}), person="2")).expression
    assert not torch.equal(happy, someone)
    with pytest.raises(UsageError, match="unknown person"):
        talker.speak(waveform, Direction(person="4"))
    with pytest.raises(UsageError, match="does not support --style; it supports: --emotion, --person"):
        talker.speak(waveform, Direction(style="happy"))


def test_what_the_network_does_not_know_is_neutral(talker: EmoTalk) -> None:
    waveform = speech()
    neutral = talker.speak(waveform, Direction(emotion=EmotionTrack(torch.zeros(1), torch.zeros(1, len(EMOTIONS)))))
    torch.testing.assert_close(talker.speak(waveform, asking(contempt=3)).expression, neutral.expression)


def test_the_share_of_an_emotion_follows_the_track(talker: EmoTalk) -> None:
    levels = torch.zeros(2, len(EMOTIONS))
    levels[1, EMOTIONS.index("happy")] = 3.0
    wanted = talker._asked(EmotionTrack(torch.tensor([0.0, 3.0]), levels), slice(0, 90))
    later = talker._asked(EmotionTrack(torch.tensor([0.0, 3.0]), levels), slice(40, 90))
    torch.testing.assert_close(later.shares, wanted.shares[40:])
    neutral, happy, angry = wanted.shares.T
    torch.testing.assert_close(neutral + happy, torch.ones(90))
    assert (angry == 0).all()
    assert (happy.diff() >= 0).all()
    assert happy[0] < 0.05
    assert happy[60] == 1
    assert wanted.levels[60, 0] == pytest.approx(1)
    assert wanted.levels[89, 1] > 0.9


def test_lips_meet_on_every_m_in_every_emotion(talker: EmoTalk) -> None:
    talker.network.gap_dirs[:4] = 10.0
    for direction in (None, asking(happy=3), asking(angry=3)):
        motion = talker.speak(speech(), direction)
        gap = motion.expression @ talker.network.gap_dirs
        assert [event.label for event in motion.events_of("phoneme")][:2] == ["AA", "M"]
        assert (gap[17:28] <= 0.1).all()
        assert (gap[2:12] > 5).all()


def test_lips_rest_where_nothing_is_said() -> None:
    class HearsNothing(ToyEncoder):
        def encode(self, waveform: torch.Tensor) -> torch.Tensor:
            rows = super().encode(waveform)
            rows[:, 6 + PHONEMES.index("SIL")] = 1.0
            return rows

    talker = EmoTalk(make_network(), HearsNothing(), head="toy", num_betas=3)
    talker.network.gap_dirs[:4] = 10.0
    gap = talker.speak(torch.zeros(32_000)).expression @ talker.network.gap_dirs
    assert gap.abs().max() < 1.0
    assert (EmoTalk(talker.network, HearsAnM()).speak(speech()).expression @ talker.network.gap_dirs).max() > 5


def test_voices_are_heard_frame_by_frame(talker: EmoTalk) -> None:
    heard = talker.hear_emotion(speech())
    assert heard.shape == (90, len(EMOTIONS))
    torch.testing.assert_close(heard.sum(1), torch.ones(90))
    assert (heard[:, EMOTIONS.index("contempt")] == 0).all()


def test_silence_is_neutral(talker: EmoTalk) -> None:
    heard = talker.hear_emotion(torch.zeros(32_000))
    torch.testing.assert_close(heard[:, EMOTIONS.index("neutral")], torch.ones(60))


def test_emotions_are_averaged_over_speech_and_pauses_do_not_count() -> None:
    angry, neutral = EMOTIONS.index("angry"), EMOTIONS.index("neutral")
    heard = torch.zeros(300, len(EMOTIONS))
    heard[:, neutral] = 1.0
    said = heard.clone()
    said[120:150, neutral], said[120:150, angry] = 0.1, 0.9
    speaking = torch.zeros(300)
    speaking[120:150] = 1.0
    short = over_speech(said, speaking)
    assert float(short[135, angry]) == pytest.approx(0.9, abs=0.01)  # a sentence of a second
    assert float(short[:60, neutral].min()) == 1.0 and float(short[240:, neutral].min()) == 1.0
    blip = heard.clone()
    blip[100:108, neutral], blip[100:108, angry] = 0.1, 0.9
    assert float(over_speech(blip, torch.ones(300))[:, angry].max()) < 0.24  # a quarter of a second is not enough
    torch.testing.assert_close(short.sum(1), torch.ones(300))


def test_smoothing_keeps_parabolas_and_takes_out_jitter() -> None:
    t = torch.arange(20.0)[:, None].expand(-1, 52)
    torch.testing.assert_close(smoothed(t * t)[2:-2], (t * t)[2:-2], atol=1e-3, rtol=0)
    jitter = (-1.0) ** t
    assert smoothed(jitter)[3:-3].abs().max() < 0.4


def test_a_folder_is_loaded_and_others_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_network()
    described = {"head": "toy", "speech": "toys", "num_features": NUM_FEATURES + 3, "network": plain(TINY)}
    write_model(tmp_path, network, "talker", "emotalk", described)
    monkeypatch.setattr(emotalk, "load_speech", lambda name: HearsAnM())
    monkeypatch.setattr(emotalk, "identity_names", lambda head: ("a",))
    loaded = EmoTalk.from_folder(tmp_path)
    assert loaded.emotions == TINY.emotions
    assert loaded.people == ("1", "2", "3")
    monkeypatch.setattr(HearsAnM, "width", 5)
    with pytest.raises(FacetalkError, match="features"):
        EmoTalk.from_folder(tmp_path)


def test_encoders_with_front_ends_of_their_own_work_too() -> None:
    own = replace(TINY, own_fronts=True)
    torch.manual_seed(0)
    network = EmoTalkNetwork(own, 8 + 8 + 3).eval().requires_grad_(False)
    motion = EmoTalk(network, HearsAnM(), head="toy", num_betas=3).speak(speech())
    assert motion.expression.shape == (90, 52)
    assert motion.events_of("phoneme")
