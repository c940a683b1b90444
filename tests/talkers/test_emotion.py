"""Emotion for every talker: what it shows by itself, what is added, and what the voice tells."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.emotions import EMOTIONS, EmotionTrack, level_row, parse_emotions
from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.events import Event
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io import weights
from facetalk.io.audio import Waveform
from facetalk.motion.emotion.amounts import shipped_amounts
from facetalk.talkers import emotion
from facetalk.talkers.base import Direction
from facetalk.talkers.emotion import emphasis, speak_with_emotion, with_emotion
from facetalk.talkers.styletalk import StyleMixture
from facetalk.talkers.voice_emotion import emotion_of_voice, listener
from tests.talkers.toys import Mumbler, toy_talker

GAPS = torch.zeros(52)
for _name, _mm in {
    "jawOpen": 36.0, "mouthClose": -36.0, "mouthLowerDownLeft": 5.0, "mouthLowerDownRight": 5.0,
    "mouthUpperUpLeft": 4.0, "mouthUpperUpRight": 4.0, "mouthFunnel": 10.0, "mouthStretchLeft": 1.5,
}.items():  # fmt: skip
    GAPS[ARKIT_NAMES.index(_name)] = _mm
"""By how many millimeters channels part the lips, about as on the bundled head."""


@pytest.fixture(autouse=True)
def gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emotion, "gap_dirs_of", lambda head: GAPS)


def speech(seconds: float = 0.7) -> torch.Tensor:
    noise = torch.randn(round(16_000 * seconds), generator=torch.Generator().manual_seed(0))
    return 0.2 * noise * torch.sin(torch.linspace(0, 20, len(noise))) ** 2


def talking(frames: int = 90) -> Motion:
    """A mouth that opens and closes, with an M wherever it is closed."""
    expression = torch.full((frames, 52), 0.1)
    opened = 0.15 + 0.15 * torch.cos(torch.arange(frames) / 15 * 2 * torch.pi)
    expression[:, ARKIT_NAMES.index("jawOpen")] = opened
    expression[:, GAPS != 0] *= (GAPS[GAPS != 0] > 30) + 0.0
    spoken = [Event("phoneme", (start - 1.5) / FPS, (start + 1.5) / FPS, "M") for start in range(7, frames, 15)]
    return still_motion("toy", expression, ARKIT_NAMES, FPS, 3).with_events(spoken)


@pytest.mark.parametrize("name", EMOTIONS[1:])
def test_lips_close_on_p_b_and_m_in_every_emotion(name: str) -> None:
    motion = talking()
    for asked in (f"{name}:1", f"{name}:3", f"{name}:1.5,surprised:1.5" if name != "surprised" else "surprised,fear"):
        made = with_emotion(motion, motion, parse_emotions(asked))
        gap = (made.expression.clamp(0, 1) @ GAPS)[7::15]
        assert float(gap.max()) < 0.5, f"{asked}: lips are apart by {float(gap.max()):.1f} mm"
        assert made.emotion is not None and torch.equal(made.emotion, parse_emotions(asked).frames(90))


def test_mouths_do_not_open_like_a_yawn() -> None:
    made = with_emotion(talking(), talking(), parse_emotions("surprised:3"))
    assert float((made.expression @ GAPS).max()) < 28


def test_neutral_leaves_a_take_as_it_is() -> None:
    motion = talking()
    made = with_emotion(motion, motion, parse_emotions("neutral"))
    assert made.expression is motion.expression
    assert made.emotion is not None and not made.emotion.any()


def test_where_a_track_is_neutral_a_take_is_that_of_the_talker() -> None:
    motion = talking()
    wide = motion.replace(expression=motion.expression.clone(), events=())
    wide.expression[:, ARKIT_NAMES.index("jawOpen")] = 0.9  # more than an emotion would leave
    levels = torch.stack([level_row({}), level_row({"sad": 2})])
    made = with_emotion(wide, wide, EmotionTrack(torch.tensor([1.5, 2.5]), levels))
    assert torch.equal(made.expression[:30], wide.expression[:30])
    assert float(made.expression.diff(dim=0).abs().max()) < 0.2
    assert float((made.expression[-1] - wide.expression[-1]).abs().max()) > 0.3


@pytest.mark.parametrize("name", EMOTIONS[1:])
def test_any_talker_shows_any_emotion(name: str) -> None:
    talker = toy_talker()
    without = talker.speak(speech())
    column = EMOTIONS.index(name)
    made = speak_with_emotion(talker, speech(), Direction(emotion=parse_emotions(f"{name}:3")))
    change, wanted = (made.expression - without.expression).mean(0), shipped_amounts().steps[column, 3]
    strongest = int(wanted.argmax())
    room = 1 - float(without.expression[:, strongest].mean())
    assert float(change[strongest]) >= min(float(wanted[strongest]), room) - 1e-3
    assert made.events == without.events


def test_without_an_emotion_a_talker_speaks_as_ever() -> None:
    talker = toy_talker()
    made = speak_with_emotion(talker, speech(), Direction())
    assert torch.equal(made.expression, talker.speak(speech()).expression)
    assert made.emotion is None


def test_a_talker_that_follows_emotions_is_asked_for_them() -> None:
    made = speak_with_emotion(Mumbler(), speech(), Direction(emotion=parse_emotions("happy:3")))
    calm = speak_with_emotion(Mumbler(), speech(), Direction(emotion=parse_emotions("neutral")))
    assert float(calm.channel("jawOpen").max()) == 0
    assert float(made.channel("jawOpen").max()) > 0.5, "its own emotion"
    assert float(made.channel("mouthSmileLeft").mean()) >= 0.6, "what is added"


def test_both_takes_share_what_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    talker = toy_talker()
    heard: list[int] = []
    encode = talker.speech.encode
    monkeypatch.setattr(talker.speech, "encode", lambda samples: (heard.append(len(samples)), encode(samples))[1])
    shown = Direction(emotion=parse_emotions("happy:2"))
    made = speak_with_emotion(talker, speech(), shown)
    assert len(heard) == 1
    calm = talker.speak(speech(), Direction(emotion=EmotionTrack.constant({})))
    apart = with_emotion(
        calm, talker.speak(speech(), shown), parse_emotions("happy:2"), emphasis(speech(), calm.num_frames)
    )
    assert torch.equal(made.expression, apart.expression) and made.events == apart.events


def test_a_head_with_other_channels_is_refused() -> None:
    class Flame(Mumbler):
        def speak(self, *args: object, **kwargs: object) -> Motion:
            return still_motion("flame", torch.zeros(30, 5), tuple("abcde"), FPS, 3)

    with pytest.raises(FacetalkError, match="ARKit channels, which 'flame' motion does not have"):
        speak_with_emotion(Flame(), speech(), Direction(emotion=parse_emotions("happy")))


def test_styletalk_goes_to_the_style_of_an_emotion_and_beyond() -> None:
    talker = toy_talker()
    assert talker.emotions == ()
    talker.styles["happy"] = talker.styles.pop("glad")
    assert talker.emotions == ("happy",)
    plain = talker.speak(speech())
    for level, strength in ((0, 0.0), (3, 1.5)):
        asked = talker.speak(speech(), Direction(emotion=parse_emotions(f"happy:{level}")))
        styled = talker.speak(speech(), Direction(style="happy", strength=strength))
        torch.testing.assert_close(asked.expression, styled.expression)
    unknown = talker.speak(speech(), Direction(emotion=parse_emotions("sad:3")))
    assert torch.equal(unknown.expression, plain.expression), "it has no style for it"


def test_styletalk_follows_a_track_over_time() -> None:
    talker = toy_talker()
    talker.styles["happy"] = talker.styles.pop("glad")
    levels = torch.stack([level_row({}), level_row({"happy": 3})])
    track = EmotionTrack(torch.tensor([0.9, 1.5]), levels)
    made = talker.speak(speech(2.4), Direction(emotion=track)).expression
    before, after = talker.speak(speech(2.4)), talker.speak(speech(2.4), Direction(emotion=parse_emotions("happy:3")))
    torch.testing.assert_close(made[:18], before.expression[:18])
    torch.testing.assert_close(made[60:], after.expression[60:])


def test_a_mixture_of_styles_blends_their_motions() -> None:
    shares = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0]])
    mixture = StyleMixture(torch.eye(3), shares)
    assert mixture.cut(slice(0, 1)).codes.tolist() == [[1, 0, 0]], "only what occurs is decoded"
    part = mixture.cut(slice(0, 2))
    motions = [torch.full((1, 2, 4), value) for value in (0.2, 0.6)]
    blended = part.blended(motions)
    torch.testing.assert_close(blended[0, :, 0], torch.tensor([0.2, 0.5]))


def test_loud_phrases_show_more_and_the_mean_stays() -> None:
    waveform = torch.cat([0.02 * torch.randn(32_000), 0.3 * torch.randn(32_000), torch.zeros(16_000)])
    factor = emphasis(waveform, 150)
    assert float(factor.mean()) == pytest.approx(1)
    assert float(factor[90]) > float(factor[30]) > float(factor[145])
    assert float(factor.min()) > 0.7 and float(factor.max()) < 1.4
    torch.testing.assert_close(emphasis(torch.zeros(16_000), 30), torch.ones(30))
    assert len(emphasis(waveform, 160)) == 160


class HearsFear(Mumbler):
    def hear_emotion(self, waveform: Waveform) -> torch.Tensor:
        heard = torch.zeros(len(waveform) * 30 // 16_000, len(EMOTIONS))
        heard[:, EMOTIONS.index("fear")] = 1.0
        return heard


def probabilities(frames: int = 300, **shares: float) -> torch.Tensor:
    rest = (1 - sum(shares.values())) / (len(EMOTIONS) - len(shares))
    rows = torch.full((frames, len(EMOTIONS)), rest)
    for name, share in shares.items():
        rows[:, EMOTIONS.index(name)] = share
    return rows


def test_a_voice_that_is_neutral_or_doubtful_leaves_the_face_neutral() -> None:
    for heard in (probabilities(neutral=0.9), probabilities(), probabilities(angry=0.19, happy=0.2, neutral=0.5)):
        assert emotion_of_voice(heard).shown == ()


def test_a_voice_that_is_sure_is_followed_over_time() -> None:
    heard = torch.cat([probabilities(150, neutral=0.9), probabilities(150, angry=0.95)])
    levels = emotion_of_voice(heard).frames(300)[:, EMOTIONS.index("angry")]
    assert float(levels[:100].max()) == 0 and float(levels[200:].min()) == pytest.approx(2.0)
    assert float(levels.diff().abs().max()) < 0.2
    assert emotion_of_voice(heard[:1]).frames(1).shape == (1, 8)
    mixture = emotion_of_voice(probabilities(sad=0.5, fear=0.5)).frames(300)
    torch.testing.assert_close(mixture.sum(1), torch.full((300,), 2.0))
    assert torch.equal(mixture[:, EMOTIONS.index("sad")], mixture[:, EMOTIONS.index("fear")])


def test_a_talker_that_hears_needs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talker = HearsFear()
    assert listener(talker) is talker
    assert emotion_of_voice(listener(talker).hear_emotion(speech())).shown == ("fear",)
    monkeypatch.setattr(weights, "weights_dir", lambda: tmp_path)
    with pytest.raises(MissingAssetError, match="emotalk"):
        listener(toy_talker())
