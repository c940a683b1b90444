"""`python -m facetalk.workshop.emotion CLIPS`: the table of what each emotion moves, `motion/emotion/amounts.csv`.

CLIPS is a dataset folder that `facetalk fit` wrote, with emotions in the column `label`. For every speaker with neutral
clips, the channels' means over an emotion's clips are compared with those over the neutral ones; what is tracked is the
mean over speakers. Speakers that no network is trained on do not count. In the data of the maintainers, two actors of
MEAD show all emotions at level 3, and one of RAVDESS surprise.

A channel is characteristic if it belongs to the published action units of an emotion (EMFACS, Friesen and Ekman 1983;
contempt: Matsumoto and Ekman 2004), or if every speaker moves it. Its amount is what is tracked, but at least the
intensity of the published unit: landmarks hardly move where the nose wrinkles, cheeks rise or lips press, and the
tracker finds a quarter of a frown.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.emotions import EMOTIONS, NEUTRAL
from facetalk.data.manifest import Clip, read_manifest, split_by_speaker, write_rows
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices, mirrored
from facetalk.io.motion import read_motion
from facetalk.motion.emotion.amounts import AMOUNTS_PATH, COLUMNS, LEVELS, both_sides
from facetalk.recipes.registry import read_training_config

SHARES = (0.4, 0.7, 1.0)
"""Of the amounts at level 3. A choice: the clips show level 3 only, and the first step is to be seen as well."""

INTENSITIES = {"A": 0.1, "B": 0.2, "C": 0.4, "D": 0.6, "E": 0.8}
"""Of FACS, from a trace to the maximum, as channels; 0 stands for what is tracked alone."""

PUBLISHED: Mapping[str, Mapping[str, str]] = {
    "happy": {"mouthSmile": "E", "cheekSquint": "E", "eyeSquint": "C"},
    "sad": {"browInnerUp": "D", "browDown": "B", "mouthFrown": "D", "mouthShrugLower": "B"},
    "surprised": {"browInnerUp": "D", "browOuterUp": "D", "eyeWide": "C", "jawOpen": "A"},
    "fear": {"browInnerUp": "D", "browDown": "B", "eyeWide": "D", "mouthStretch": "D", "jawOpen": "A"},
    "disgusted": {
        "noseSneer": "E", "mouthUpperUp": "C", "mouthFrown": "B", "browDown": "C", "eyeSquint": "C", "cheekSquint": "C",
    },
    "angry": {"browDown": "E", "eyeSquint": "C", "eyeWide": "B", "mouthPress": "C"},
    "contempt": {"mouthSmileLeft": "D", "mouthDimpleLeft": "D", "mouthUpperUpLeft": "B"},
}  # fmt: skip
"""Channels of the action units 6+12; 1+4+15+17; 1+2+5+26; 1+4+5+20+26; 9+10+15 with 4, 6 and 7; 4+5+7+23+24;
one-sided 10+12+14."""

HELD: Mapping[str, Mapping[str, float]] = {
    "happy": {"mouthFrown": 0.0, "browDown": 0.0},
    "sad": {"mouthSmile": -0.2, "cheekSquint": 0.0, "eyeWide": 0.0},
    "surprised": {"browDown": -0.1, "mouthSmile": 0.0, "eyeSquint": 0.0},
    "fear": {"mouthSmile": -0.1, "eyeSquint": 0.0},
    "disgusted": {"mouthSmile": -0.1, "browInnerUp": 0.0},
    "angry": {"mouthSmile": -0.2, "browInnerUp": -0.1, "browOuterUp": 0.0},
    "contempt": {"mouthSmileRight": 0.0, "browDown": 0.0},
}
"""Antagonists: they do not rise, or are lowered by this much at level 3."""

AGREED = 0.15
"""A channel that is not published is characteristic if each of at least two speakers moves it by this much."""

LIDS_AT_MOST = 0.25
"""Of `eyeBlink`: actors who look down lower their lids further, and on a face that looks ahead that is sleep."""

TIGHTENED = ("happy", "disgusted", "angry")
"""Emotions with the action units 6 or 7, which narrow the eyes; the tracker describes narrow eyes as `eyeBlink`."""

OTHER_SIDE = 0.4
"""Share that is left of what only the data show in contempt, on the right side and in the middle: it is one-sided."""

NOT_SHOWN = (*GAZE_NAMES, "jawLeft", "jawRight", "mouthLeft", "mouthRight", "mouthFunnel", "mouthPucker")
"""Where somebody looks, how the head is turned and which words are said is no emotion."""

Differences = Mapping[str, Sequence[Float[Tensor, " channels"]]]


def differences(clips: Sequence[Clip]) -> Differences:
    """For each emotion and speaker, the channels' means over the clips less those over the neutral clips."""
    means: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        if clip.label in EMOTIONS:
            motion = read_motion(clip.motion_path)
            seen = torch.ones(motion.num_frames) if motion.confidence is None else motion.confidence
            means[clip.speaker][clip.label].append(motion.expression[seen > 0.5].mean(0))
    found: dict[str, list[Tensor]] = defaultdict(list)
    for labels in means.values():
        for emotion in set(labels) - {NEUTRAL} if NEUTRAL in labels else ():
            found[emotion].append(torch.stack(labels[emotion]).mean(0) - torch.stack(labels[NEUTRAL]).mean(0))
    return found


def table(found: Differences) -> list[dict[str, str]]:
    """The rows of the table."""
    rows = []
    for emotion in EMOTIONS[1:]:
        speakers = torch.stack(list(found[emotion]))
        if emotion in TIGHTENED:
            lids, tightened = both_sides("eyeBlink"), both_sides("eyeSquint")
            speakers[:, tightened] += speakers[:, lids].clamp_min(0)
            speakers[:, lids] = 0
        known = {column for channel in PUBLISHED[emotion] for column in both_sides(channel)}
        agreed = [] if len(speakers) < 2 else _agreed(speakers, known, one_sided=emotion == "contempt")
        for channel in (*PUBLISHED[emotion], *agreed, *HELD[emotion]):
            tracked = float(speakers[:, both_sides(channel)].mean())
            amount, source = _amount(emotion, channel, tracked)
            values = {level: f"{share * amount:.3f}" for level, share in zip(LEVELS, SHARES, strict=True)}
            rows.append(
                {"emotion": emotion, "channel": channel, **values, "tracked": f"{tracked:.3f}", "source": source}
            )
    return rows


def _agreed(speakers: Float[Tensor, "speakers channels"], known: set[int], one_sided: bool) -> list[str]:
    """Channels beside the known ones that all speakers move; one name for both sides unless they may differ."""
    mean = speakers if one_sided else (speakers + speakers[:, indices(tuple(map(mirrored, ARKIT_NAMES)))]) / 2
    names = [
        name
        for column, name in enumerate(ARKIT_NAMES)
        if column not in known and name not in NOT_SHOWN and bool((mean[:, column] >= AGREED).all())
    ]
    return (
        names if one_sided else list(dict.fromkeys(name.removesuffix("Left").removesuffix("Right") for name in names))
    )


def _amount(emotion: str, channel: str, tracked: float) -> tuple[float, str]:
    """The amount at level 3, and where it is from."""
    if channel in HELD[emotion]:
        return HELD[emotion][channel], "antagonist"
    if channel in PUBLISHED[emotion]:
        intensity = PUBLISHED[emotion][channel]
        return max(tracked, INTENSITIES[intensity]), f"intensity {intensity}"
    if channel.startswith("eyeBlink"):
        return min(tracked, LIDS_AT_MOST), "data"
    one_sided = emotion == "contempt" and not channel.endswith("Left")
    return tracked * (OTHER_SIDE if one_sided else 1.0), "data"


def main(folder: Path, path: Path = AMOUNTS_PATH) -> None:
    """Write the table."""
    held_out = read_training_config("styletalk")["data"]["dev_speakers"]
    write_rows(path, COLUMNS, table(differences(split_by_speaker(read_manifest(folder), held_out)[0])))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
