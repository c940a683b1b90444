from pathlib import Path

import torch

from facetalk.data.emotional import Felt, Shown, emotional_faces, felt, quadruples
from facetalk.data.manifest import Clip
from facetalk.head.channels import ARKIT_NAMES

SMILE = [ARKIT_NAMES.index(f"mouthSmile{side}") for side in ("Left", "Right")]
BLINK = ARKIT_NAMES.index("eyeBlinkLeft")


def said(speaker: str, label: str, text: str) -> Clip:
    return Clip(Path(), f"{speaker}{label}{text}", speaker, label, text=text)


def face(**channels: float) -> torch.Tensor:
    row = torch.full((52,), 0.1)
    for name, value in channels.items():
        row[ARKIT_NAMES.index(name)] = value
    return row.expand(5, -1)


def test_labels_name_an_emotion_and_a_level() -> None:
    assert felt("fearful/normal") == Felt("fear", 2.0)
    assert felt("happy/strong") == felt("joy") == Felt("happy", 3.0)
    assert felt("angry/1") == Felt("angry", 1.0)
    assert felt("calm/strong") == felt("boredom") == Felt("neutral", 0.0)
    assert felt("laughing") is felt("") is felt("happy/7") is felt("happy/mild") is None


def test_a_quadruple_is_two_sentences_in_two_emotions_by_one_person() -> None:
    clips = [said("a", emotion, text) for text in ("x", "y") for emotion in ("happy/normal", "sad/normal")]
    others = [said("b", "happy/normal", "x"), said("a", "angry/strong", "x"), said("a", "angry/normal", "x")]
    found = quadruples([*clips, *others])
    assert [tuple(q) for q in found] == [(0, 1, 2, 3)]
    assert quadruples(clips[:3]) == []
    assert quadruples([said("a", label, text) for text in "xy" for label in ("calm", "neutral")]) == []


def test_many_quadruples_are_thinned_evenly() -> None:
    clips = [said("a", emotion, text) for text in "abcdefgh" for emotion in ("happy", "sad", "angry")]
    assert len(quadruples(clips)) == 28 * 3
    assert 0 < len(quadruples(clips, most_per_group=20)) <= 20


def test_faces_are_compared_with_the_same_person() -> None:
    smiling = {"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4}
    clips = [
        Shown("a", "neutral", face(**smiling)),
        Shown("a", "happy", face(mouthSmileLeft=0.9, mouthSmileRight=0.7, eyeBlinkLeft=0.9)),
        Shown("b", "neutral", face()),
        Shown("c", "happy", face(mouthSmileLeft=1.0)),  # nobody knows how c looks otherwise, and a shows it too
        Shown("c", "sad", face(browInnerUp=0.6)),
        Shown("c", "laughing", face(jawOpen=1.0)),
    ]
    faces = emotional_faces(clips)
    assert faces.emotions == ("neutral", "happy", "sad")
    assert faces.people("happy") == ("a",)
    assert faces.people("sad") == ("c",)
    happy = faces.offset("a", "happy")
    torch.testing.assert_close(happy[SMILE], torch.full((2,), 0.4))
    assert happy[BLINK] == 0
    torch.testing.assert_close(faces.offset("nobody", "happy"), happy)
    assert (faces.offset("a", "neutral") == 0).all()


def test_contempt_stays_one_sided() -> None:
    clips = [Shown("a", "neutral", face()), Shown("a", "contempt", face(mouthSmileLeft=0.5))]
    offset = emotional_faces(clips).offset("a", "contempt")
    torch.testing.assert_close(offset[SMILE], torch.tensor([0.4, 0.0]))


def test_without_a_neutral_face_nothing_can_be_compared() -> None:
    faces = emotional_faces([Shown("a", "happy", face())])
    assert faces.emotions == ("neutral",)
