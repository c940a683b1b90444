"""Traits: identity directions with a meaning, each one standard deviation of adults.

A trait is a sum of pulls (see `muscles.py`: an anchor among MediaPipe's points, the size of the hill on the map, a move
in millimeters for the left side). Sizes follow Farkas (Anthropometry of the Head and Face, 1994), both sexes together:
standard deviation of the face's width 5.5 mm, of the jaw's 6, the nose's width 2.5 and length 3.2, the mouth's 3.5, the
lips' height 1.5 each, the distance of the inner eye corners 2.5, the chin's height 3, the forehead's 6; half of a width
goes to each side. Ages and sexes differ in many of them at once, by about half a standard deviation each.
"""

from __future__ import annotations

import numpy as np

from facetalk.workshop.head import parts
from facetalk.workshop.head.domain import smoothstep
from facetalk.workshop.head.face import Face
from facetalk.workshop.head.muscles import Pull

TRAITS: dict[str, tuple[Pull, ...]] = {
    "faceWidth": (Pull(93, (42, 60), (2.8, 0.0, -0.6)), Pull(50, (22, 26), (0.6, 0.0, -0.4))),
    "jawWidth": (Pull(172, (30, 26), (3.2, 0.0, 0.0)), Pull(150, (22, 18), (1.0, 0.0, -0.4))),
    "chinLength": (Pull(152, (34, 24), (0.0, -3.2, 0.2)), Pull(18, (24, 14), (0.0, -0.9, 0.0), "lower")),
    "chinForward": (Pull(199, (22, 17), (0.0, -0.2, 2.4)),),
    "noseWidth": (Pull(129, (7.5, 9), (1.5, 0.0, 0.0)), Pull(51, (7, 14), (0.5, 0.0, 0.0))),
    "noseLength": (Pull(2, (15, 9), (0.0, -2.2, 0.4)), Pull(4, (13, 10), (0.0, -1.6, 0.4))),
    "noseBridge": (Pull(6, (9, 14), (0.0, 0.0, 1.5)), Pull(197, (8, 12), (0.0, 0.0, 1.3))),
    "noseTip": (Pull(4, (11, 10), (0.0, 0.4, 2.0)),),
    "lipFullness": (
        Pull(0, (15, 4), (0.0, 1.1, 0.7), "upper"),
        Pull(12, (14, 4), (0.0, 0.1, 0.7), "upper"),
        Pull(17, (15, 4.5), (0.0, -1.1, 0.8), "lower"),
        Pull(15, (14, 4), (0.0, -0.1, 0.7), "lower"),
    ),
    "mouthWidth": (Pull(61, (15, 13), (1.9, 0.0, -0.5)),),
    "browHeight": (Pull(105, (24, 9), (0.0, 1.8, 0.0)), Pull(55, (12, 9), (0.0, 1.8, 0.0))),
    "browRidge": (Pull(52, (20, 7), (0.0, -0.3, 1.5)), Pull(9, (12, 7), (0.0, 0.0, 1.2))),
    "cheekbones": (Pull(117, (20, 13), (1.6, 0.3, 1.7)),),
    "cheekFat": (Pull(207, (20, 22), (2.0, 0.0, 1.8)), Pull(214, (18, 18), (1.5, -0.5, 0.8))),
    "foreheadHeight": (),
    "eyeSpacing": (Pull(159, (20, 18), (1.3, 0.0, -0.2)),),
    "eyeSize": (),
    "age": (
        Pull(214, (15, 15), (0.8, -1.9, 0.4)),
        Pull(206, (5, 11), (0.0, -0.4, -0.9)),
        Pull(205, (14, 11), (0.0, -1.1, -0.6)),
        Pull(230, (13, 5), (0.0, -0.4, 0.5)),
        Pull(105, (20, 9), (0.0, -0.9, 0.0)),
        Pull(0, (15, 4), (0.0, -0.5, -0.5), "upper"),
        Pull(17, (15, 4.5), (0.0, 0.4, -0.5), "lower"),
        Pull(4, (11, 9), (0.0, -0.8, 0.3)),
        Pull(43, (9, 10), (0.0, -0.8, -0.4)),
    ),
    "sex": (
        Pull(172, (30, 26), (1.9, 0.0, 0.0)),
        Pull(152, (34, 24), (0.0, -1.5, 0.5)),
        Pull(52, (20, 7), (0.0, -0.6, 1.0)),
        Pull(9, (12, 7), (0.0, 0.0, 0.7)),
        Pull(105, (24, 9), (0.0, -0.9, 0.0)),
        Pull(129, (7.5, 9), (0.7, -0.2, 0.2)),
        Pull(6, (9, 14), (0.0, 0.0, 0.8)),
        Pull(0, (15, 4), (0.0, -0.4, -0.2), "upper"),
        Pull(17, (15, 4.5), (0.0, 0.4, -0.2), "lower"),
        Pull(118, (17, 12), (-0.3, 0.0, -0.6)),
    ),
    "earSize": (),
}
"""Toward more of what the name says; `age` toward old, `sex` toward male."""

_EYE_GROWTH = (0.040, 0.018, 0.0)
"""Share by which the opening of the lids grows across and along. Along it is less than people differ: a channel is the
same for every identity, and a lid that has further to go would not close."""
_EAR_GROWTH = 0.06
_FOREHEAD_MM = 4.2
_MALE_NECK = 0.035


def trait_moves(face: Face) -> dict[str, np.ndarray]:
    """Displacement of every skin vertex for each trait, mm."""
    moves = {name: at_rest(face, pulls) for name, pulls in TRAITS.items()}
    for side, name in ((1.0, "left"), (-1.0, "right")):
        center = np.array(parts.EYE_CENTER) * [side, 1, 1]
        offset = face.points - center
        near = np.exp(-0.5 * ((offset[:, 0] / 17) ** 2 + (offset[:, 1] / 9) ** 2)) * (offset[:, 2] > 0) * face.skin
        moves["eyeSize"] += near[:, None] * offset * _EYE_GROWTH
        grow_ear(face, moves["earSize"], name)
    points, along = face.points, face.places[:, 1]
    front = smoothstep(-130, -30, points[:, 2]) * face.skin
    moves["foreheadHeight"][:, 1] += _FOREHEAD_MM * front * smoothstep(28, 66, along)
    neck = smoothstep(-232, -190, points[:, 1]) * smoothstep(-70, -135, points[:, 1]) * face.skin
    moves["sex"][:, [0, 2]] += _MALE_NECK * neck[:, None] * (points - [0.0, 0.0, -85.0])[:, [0, 2]]
    return moves


def at_rest(face: Face, pulls: tuple[Pull, ...]) -> np.ndarray:
    """Pulls of both sides without the resistance that an expression meets at lids and the nose's root.

    The ears stay; they go with the head beside them, see `identity.carry_parts`.
    """
    held, face.hold = face.hold, np.ones_like(face.hold)
    move = face.both(pulls)
    face.hold = held
    for side in ("left_ear", "right_ear"):
        move[face.head.linings[side]] = 0
    return move


def grow_ear(face: Face, move: np.ndarray, side: str) -> None:
    """The ear larger about its root."""
    root = face.points[face.head.rings[f"{side}_ear"][0]].mean(0)
    for row in face.head.linings[f"{side}_ear"]:
        move[row] = _EAR_GROWTH * (face.points[row] - root)
