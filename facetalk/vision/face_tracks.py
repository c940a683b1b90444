"""Faces followed through a video by position, size and appearance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from facetalk.core.landmarks import MESH_INNER_LIP_CENTERS, MESH_LOWER_SKIN, MESH_OUTER_EYE_CORNERS, MESH_UPPER_SKIN

_SKIN = (*MESH_UPPER_SKIN, *MESH_LOWER_SKIN)
"""Points whose colors are a person's appearance."""

_REACH = 0.7
_REACH_PER_S = 4.0
"""Largest usual movement of a face between two frames, and in each further second, interocular units."""
_APPEARANCE = 0.10
"""Largest usual difference of one person's colors between two frames, of 1."""
_SIZE_CHANGE = 0.4
"""Change of the logarithm of the size that costs as much as the largest usual movement."""
_COVERED, _USUAL_TIMES = 0.05, 4.0
"""A point is covered where its color differs from the remembered one by more than the first number plus the second one
times its usual change."""
_UPDATE_RATE = 0.1
"""Share of the newest frame in the remembered colors."""
_NEW_PERSON = 2.8
"""Cost from which a face is a new person."""
_EXCLUDED = 1e6


@dataclass(eq=False)
class FaceTrack:
    """One face through a video: a value for each frame in which it was found."""

    frames: list[int] = field(default_factory=list)
    centers: list[tuple[float, float]] = field(default_factory=list)
    """In units of the frame's width and height."""
    sizes: list[float] = field(default_factory=list)
    """Distance of the outer eye corners, pixels."""
    mouth_openings: list[float] = field(default_factory=list)
    """Distance of the inner lips over that of the eye corners."""
    visible: list[float] = field(default_factory=list)
    """Share in [0, 1] of the upper or lower face, whichever is smaller, that has its usual colors: low where a hand
    covers the mouth and the detector guesses its points."""
    position: np.ndarray = field(default_factory=lambda: np.zeros(2))
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    """Pixels per second."""
    time_s: float = 0.0
    colors: np.ndarray = field(default_factory=lambda: np.zeros(0))
    usual_change: np.ndarray = field(default_factory=lambda: np.full(len(_SKIN), 0.02))
    """Of each point's color, of 1."""

    def cost(self, points: np.ndarray, colors: np.ndarray, time_s: float) -> float:
        """Difference of a face from this one; up to 1 for each of position, size and colors is usual."""
        gap = time_s - self.time_s
        size = _size(points)
        expected = self.position + self.velocity * min(gap, 0.2)
        moved = np.linalg.norm(points[:, :2].mean(0) - expected) / (size * (_REACH + _REACH_PER_S * gap))
        grown = abs(np.log(size / self.sizes[-1])) / (_SIZE_CHANGE * (1 + gap))
        return float(min(moved, 2.5) ** 2 / 2 + min(grown, 2.0) / 2 + np.abs(colors - self.colors).mean() / _APPEARANCE)

    def add(self, frame: int, time_s: float, points: np.ndarray, colors: np.ndarray, size: tuple[int, int]) -> None:
        """Add the face in the next frame."""
        position = points[:, :2].mean(0)
        gap = time_s - self.time_s
        if self.frames and 0 < gap < 0.2:
            self.velocity = 0.5 * self.velocity + 0.5 * (position - self.position) / gap
        else:
            self.velocity = np.zeros(2)
        covered = np.zeros(len(_SKIN), bool)
        if self.frames:
            change = np.abs(colors - self.colors).reshape(-1, 3).mean(1)
            covered = change > _COVERED + _USUAL_TIMES * self.usual_change
            # What covers a face hardly changes the remembered colors, unless it stays.
            rate = _UPDATE_RATE * np.where(covered, 0.1, 1.0)
            self.usual_change = np.where(
                covered, self.usual_change, self.usual_change + rate * (change - self.usual_change)
            )
            colors = self.colors + rate.repeat(3) * (colors - self.colors)
        self.colors = colors
        upper, lower = covered[: len(MESH_UPPER_SKIN)].mean(), covered[len(MESH_UPPER_SKIN) :].mean()
        self.visible.append(float(1 - max(upper, lower)))
        self.position, self.time_s = position, time_s
        self.frames.append(frame)
        self.centers.append((float(position[0] / size[0]), float(position[1] / size[1])))
        self.sizes.append(_size(points))
        upper_lip, lower_lip = MESH_INNER_LIP_CENTERS
        self.mouth_openings.append(float(np.linalg.norm(points[upper_lip] - points[lower_lip]) / self.sizes[-1]))


@dataclass(frozen=True)
class Person:
    """Which of the people in a video one face is."""

    number: int
    """Counted from 1 at the left of the frame."""
    of: int
    """Number of people who are visible in a good part of the video."""
    center: tuple[float, float]
    """Median position in units of the frame's width and height."""
    time_share: float
    """Share of the frames in which the face was found."""

    def __str__(self) -> str:
        where = f"{self.center[0]:.0%} from the left edge, in {self.time_share:.0%} of the frames"
        return f"person {self.number} of {self.of}, counted from the left ({where})"


class FaceTracks:
    """All faces of a video, frame by frame."""

    def __init__(self) -> None:
        """Start without faces."""
        self.tracks: list[FaceTrack] = []

    def add(self, frame: int, time_s: float, image: np.ndarray, faces: Sequence[np.ndarray]) -> list[int]:
        """Index of the track of each face in the next frame; unknown faces start a new track.

        Args:
            frame: its index.
            time_s: its time.
            image: uint8 RGB.
            faces: points (478, 3) in pixels of each face.
        """
        colors = [_skin_colors(image, points) for points in faces]
        costs = np.array(
            [[track.cost(p, color, time_s) for track in self.tracks] for p, color in zip(faces, colors, strict=True)]
        ).reshape(len(faces), len(self.tracks))
        numbers = _assign(costs)
        height, width = image.shape[:2]
        for index, number in enumerate(numbers):
            if number < 0:
                self.tracks.append(FaceTrack())
                numbers[index] = number = len(self.tracks) - 1
            self.tracks[number].add(frame, time_s, faces[index], colors[index], (width, height))
        return numbers

    def people(self, num_frames: int, least_share: float = 0.1) -> list[int]:
        """Indices of the tracks that last, from left to right in the image."""
        longest = max((len(track.frames) for track in self.tracks), default=0)
        least = min(least_share * num_frames, longest)
        lasting = [index for index, track in enumerate(self.tracks) if len(track.frames) >= max(least, 1)]
        return sorted(lasting, key=lambda index: float(np.median([x for x, _ in self.tracks[index].centers])))

    def person(self, index: int, num_frames: int) -> Person:
        """Which of the people the face of a track is."""
        people, track = self.people(num_frames), self.tracks[index]
        x, y = np.median(track.centers, 0).tolist()
        return Person(
            people.index(index) + 1, len(people), (round(x, 3), round(y, 3)), round(len(track.frames) / num_frames, 3)
        )

    def main(self, num_frames: int, loudness: np.ndarray | None = None) -> int:
        """Index of the track of the main face: large, visible throughout and speaking.

        Args:
            num_frames: of the video.
            loudness: of the audio in each frame, any scale; None without audio.
        """
        return max(self.people(num_frames), key=lambda index: prominence(self.tracks[index], num_frames, loudness))


def prominence(track: FaceTrack, num_frames: int, loudness: np.ndarray | None) -> float:
    """How prominent a face is in a video: visible throughout, large, and moving its mouth with the audio."""
    seen = len(track.frames) / num_frames
    return seen * float(np.median(track.sizes)) * (1 + 2 * max(0.0, _speaking(track, loudness)))


def _speaking(track: FaceTrack, loudness: np.ndarray | None) -> float:
    """Correlation of the motion of the mouth with the loudness, plus a share for the amount of motion."""
    if loudness is None or len(track.frames) < 15:
        return 0.0
    mouth = np.abs(np.gradient(np.asarray(track.mouth_openings)))
    smooth = np.convolve(mouth, np.ones(7) / 7, "same")
    level = loudness[np.minimum(track.frames, len(loudness) - 1)]
    if smooth.std() < 1e-9 or level.std() < 1e-9:
        return 0.0
    # The amount of motion counts too, for audio without pauses.
    return float(np.corrcoef(smooth, level)[0, 1]) + min(1.0, 20 * float(mouth.mean()))


def _assign(costs: np.ndarray) -> list[int]:
    """Track of each face, -1 for a new one: the cheapest assignment of all faces."""
    num_faces, num_tracks = costs.shape
    if num_faces == 0:
        return []
    if num_faces == 1 and num_tracks < 2:
        return [0 if num_tracks and costs[0, 0] < _NEW_PERSON else -1]
    from scipy.optimize import (
        linear_sum_assignment,  # takes a quarter of a second to import, and most videos show one face
    )

    # One additional column for each face, for a new person.
    new = np.full((num_faces, num_faces), _EXCLUDED)
    np.fill_diagonal(new, _NEW_PERSON)
    rows, columns = linear_sum_assignment(np.concatenate([costs, new], 1))
    return [int(column) if column < num_tracks else -1 for _, column in sorted(zip(rows, columns, strict=True))]


def _skin_colors(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Colors at the points of the skin."""
    height, width = image.shape[:2]
    x, y = points[list(_SKIN), :2].round().astype(int).T
    return image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(np.float32).ravel() / 255


def _size(points: np.ndarray) -> float:
    right, left = MESH_OUTER_EYE_CORNERS
    return max(float(np.linalg.norm(points[right] - points[left])), 1.0)
