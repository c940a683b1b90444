"""Which of the faces in a picture is whose: faces followed through a video by place, size and looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from facetalk.core.landmarks import MESH_INNER_LIP_CENTERS, MESH_LOWER_SKIN, MESH_OUTER_EYE_CORNERS, MESH_UPPER_SKIN

_SKIN = (*MESH_UPPER_SKIN, *MESH_LOWER_SKIN)
"""Points on forehead, nose and upper cheeks, and about the mouth and chin: their colours are a person's looks."""

_REACH = 0.7
_REACH_PER_S = 4.0
"""How far a face moves between two pictures, and in each further second, in distances of its outer eye corners."""
_LOOKS = 0.10
"""Mean difference of the colours (of 1) of one person in two pictures that is still ordinary."""
_DOUBLING = 0.4
"""Change of size (natural logarithm) that is as odd as moving by the whole reach."""
_COVERED, _USUAL_TIMES = 0.05, 4.0
"""Something else is taken to be seen at a point whose colour differs from the remembered one by more than this and so
many times its usual change."""
_LEARNING = 0.1
"""Share of the newest picture in the remembered looks."""
_OTHER = 2.8
"""Cost from which a face is somebody new."""
_MUCH_HIGHER = 1e6


@dataclass(eq=False)
class FaceTrack:
    """One face through a video: a number for each picture in which it was seen."""

    pictures: list[int] = field(default_factory=list)
    centres: list[tuple[float, float]] = field(default_factory=list)
    """Share of the picture's width and height."""
    sizes: list[float] = field(default_factory=list)
    """Distance of the outer eye corners, pixels."""
    mouth_openings: list[float] = field(default_factory=list)
    """Distance of the inner lips over that of the eye corners."""
    visible: list[float] = field(default_factory=list)
    """Share in [0, 1] of the upper or lower face, whichever is less, that shows its usual colours: little where a hand
    lies over the mouth and the detector makes the points up."""
    place: np.ndarray = field(default_factory=lambda: np.zeros(2))
    pace: np.ndarray = field(default_factory=lambda: np.zeros(2))
    """Pixels a second."""
    time_s: float = 0.0
    looks: np.ndarray = field(default_factory=lambda: np.zeros(0))
    usual_change: np.ndarray = field(default_factory=lambda: np.full(len(_SKIN), 0.02))
    """Of each point's colour, of 1."""

    def cost(self, points: np.ndarray, looks: np.ndarray, time_s: float) -> float:
        """How little a face resembles this one; 1 for each of place, size and looks is still ordinary."""
        gap = time_s - self.time_s
        size = _size(points)
        expected = self.place + self.pace * min(gap, 0.2)
        moved = np.linalg.norm(points[:, :2].mean(0) - expected) / (size * (_REACH + _REACH_PER_S * gap))
        grown = abs(np.log(size / self.sizes[-1])) / (_DOUBLING * (1 + gap))
        return float(min(moved, 2.5) ** 2 / 2 + min(grown, 2.0) / 2 + np.abs(looks - self.looks).mean() / _LOOKS)

    def add(self, picture: int, time_s: float, points: np.ndarray, looks: np.ndarray, size: tuple[int, int]) -> None:
        """Take a face for this one."""
        place = points[:, :2].mean(0)
        gap = time_s - self.time_s
        if self.pictures and 0 < gap < 0.2:
            self.pace = 0.5 * self.pace + 0.5 * (place - self.place) / gap
        else:
            self.pace = np.zeros(2)
        strange = np.zeros(len(_SKIN), bool)
        if self.pictures:
            change = np.abs(looks - self.looks).reshape(-1, 3).mean(1)
            strange = change > _COVERED + _USUAL_TIMES * self.usual_change
            # What covers a face is not learnt, unless it stays.
            pace = _LEARNING * np.where(strange, 0.1, 1.0)
            self.usual_change = np.where(
                strange, self.usual_change, self.usual_change + pace * (change - self.usual_change)
            )
            looks = self.looks + pace.repeat(3) * (looks - self.looks)
        self.looks = looks
        upper, lower = strange[: len(MESH_UPPER_SKIN)].mean(), strange[len(MESH_UPPER_SKIN) :].mean()
        self.visible.append(float(1 - max(upper, lower)))
        self.place, self.time_s = place, time_s
        self.pictures.append(picture)
        self.centres.append((float(place[0] / size[0]), float(place[1] / size[1])))
        self.sizes.append(_size(points))
        upper_lip, lower_lip = MESH_INNER_LIP_CENTERS
        self.mouth_openings.append(float(np.linalg.norm(points[upper_lip] - points[lower_lip]) / self.sizes[-1]))


class FaceTracks:
    """All faces of a video, picture after picture."""

    def __init__(self) -> None:
        """No faces yet."""
        self.tracks: list[FaceTrack] = []

    def add(self, picture: int, time_s: float, image: np.ndarray, faces: Sequence[np.ndarray]) -> list[int]:
        """Number of the track of each face; unknown ones begin a track.

        Args:
            picture: its number.
            time_s: its moment.
            image: uint8 RGB.
            faces: points (478, 3) in pixels of each face.
        """
        looks = [_looks(image, points) for points in faces]
        costs = np.array(
            [[track.cost(p, look, time_s) for track in self.tracks] for p, look in zip(faces, looks, strict=True)]
        ).reshape(len(faces), len(self.tracks))
        numbers = _assign(costs)
        height, width = image.shape[:2]
        for index, number in enumerate(numbers):
            if number < 0:
                self.tracks.append(FaceTrack())
                numbers[index] = number = len(self.tracks) - 1
            self.tracks[number].add(picture, time_s, faces[index], looks[index], (width, height))
        return numbers

    def people(self, num_pictures: int, least_share: float = 0.1) -> list[int]:
        """Numbers of the tracks that last, from the left of the picture to the right."""
        longest = max((len(track.pictures) for track in self.tracks), default=0)
        least = min(least_share * num_pictures, longest)
        lasting = [index for index, track in enumerate(self.tracks) if len(track.pictures) >= max(least, 1)]
        return sorted(lasting, key=lambda index: float(np.median([x for x, _ in self.tracks[index].centres])))

    def main(self, num_pictures: int, loudness: np.ndarray | None = None) -> int:
        """Number of the track of the largest, most lasting and speaking face.

        Args:
            num_pictures: of the video.
            loudness: of each picture's stretch of sound, any scale; None without sound.
        """
        return max(self.people(num_pictures), key=lambda index: prominence(self.tracks[index], num_pictures, loudness))


def prominence(track: FaceTrack, num_pictures: int, loudness: np.ndarray | None) -> float:
    """How much a face is the subject of a video: seen throughout, large, and moving its mouth with the sound."""
    seen = len(track.pictures) / num_pictures
    return seen * float(np.median(track.sizes)) * (1 + 2 * max(0.0, _speaking(track, loudness)))


def _speaking(track: FaceTrack, loudness: np.ndarray | None) -> float:
    """Correlation of the mouth's liveliness with the sound."""
    if loudness is None or len(track.pictures) < 15:
        return 0.0
    mouth = np.abs(np.gradient(np.asarray(track.mouth_openings)))
    smooth = np.convolve(mouth, np.ones(7) / 7, "same")
    sound = loudness[np.minimum(track.pictures, len(loudness) - 1)]
    if smooth.std() < 1e-9 or sound.std() < 1e-9:
        return 0.0
    # A mouth that moves more than another one counts too, also where the sound never pauses.
    return float(np.corrcoef(smooth, sound)[0, 1]) + min(1.0, 20 * float(mouth.mean()))


def _assign(costs: np.ndarray) -> list[int]:
    """Track of each face, -1 for a new one: the cheapest pairing of all faces together."""
    num_faces, num_tracks = costs.shape
    if num_faces == 0:
        return []
    if num_faces == 1 and num_tracks < 2:
        return [0 if num_tracks and costs[0, 0] < _OTHER else -1]
    from scipy.optimize import linear_sum_assignment  # loads for a quarter of a second, and most videos show one face

    # A column of its own for each face that is somebody new.
    new = np.full((num_faces, num_faces), _MUCH_HIGHER)
    np.fill_diagonal(new, _OTHER)
    rows, columns = linear_sum_assignment(np.concatenate([costs, new], 1))
    return [int(column) if column < num_tracks else -1 for _, column in sorted(zip(rows, columns, strict=True))]


def _looks(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Colours at the points of the skin."""
    height, width = image.shape[:2]
    x, y = points[list(_SKIN), :2].round().astype(int).T
    return image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(np.float32).ravel() / 255


def _size(points: np.ndarray) -> float:
    right, left = MESH_OUTER_EYE_CORNERS
    return max(float(np.linalg.norm(points[right] - points[left])), 1.0)
