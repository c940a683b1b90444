from __future__ import annotations

import numpy as np
import pytest

from facetalk.core.landmarks import MESH_LOWER_SKIN, MESH_UPPER_SKIN
from facetalk.vision.face_tracks import FaceTracks

SIZE = (320, 120)
COLORS = {"ann": (200, 150, 130), "bob": (120, 80, 60)}


def face(x: float, y: float = 60, size: float = 24, mouth: float = 0.0) -> np.ndarray:
    """Points in a disc around a position, with eye corners and lips."""
    generator = np.random.default_rng(0)
    points = np.concatenate([generator.normal(0, size / 4, (478, 2)), np.zeros((478, 1))], 1)
    points[33, :2], points[263, :2] = (-size / 2, -size / 4), (size / 2, -size / 4)
    points[13, :2], points[14, :2] = (0, size / 2), (0, size / 2 + mouth * size)
    return points + np.array([x, y, 0])


def image_of(people: dict[str, np.ndarray]) -> np.ndarray:
    image = np.full((SIZE[1], SIZE[0], 3), 30, np.uint8)
    for name, points in people.items():
        x, y = points[:, 0].mean(), points[:, 1].mean()
        image[int(max(y - 30, 0)) : int(y + 30), int(max(x - 18, 0)) : int(x + 18)] = COLORS[name]
    return image


def follow(frames: list[dict[str, np.ndarray]]) -> tuple[FaceTracks, list[dict[str, int]]]:
    """Tracks, and for each frame the track of each person; the order of the faces in a frame is shuffled."""
    tracks, found = FaceTracks(), []
    generator = np.random.default_rng(1)
    for index, people in enumerate(frames):
        names = [str(name) for name in generator.permutation(list(people))]
        numbers = tracks.add(index, index / 25, image_of(people), [people[name] for name in names])
        found.append(dict(zip(names, numbers, strict=True)))
    return tracks, found


def owners(found: list[dict[str, int]]) -> dict[str, set[int]]:
    return {name: {frame[name] for frame in found if name in frame} for name in COLORS}


def test_people_keep_their_number_when_they_pass_each_other() -> None:
    frames = []
    for index in range(60):
        left, right = 40 + 4 * index, 280 - 4 * index
        frames.append({"ann": face(left, 55), "bob": face(right, 65)})
        if abs(left - right) < 30:
            del frames[-1]["bob"]  # hidden behind her
    _, found = follow(frames)
    assert owners(found) == {"ann": {found[0]["ann"]}, "bob": {found[0]["bob"]}}


def test_a_face_that_was_lost_is_recognized_again() -> None:
    frames = [{"ann": face(100 + index)} if not 20 <= index < 50 else {} for index in range(80)]
    tracks, found = follow(frames)
    assert owners(found)["ann"] == {0} and len(tracks.tracks) == 1


def test_another_person_at_the_same_position_gets_a_new_track() -> None:
    frames = [{"ann": face(100)} if index < 20 else {"bob": face(104)} for index in range(40)]
    _, found = follow(frames)
    assert owners(found)["ann"].isdisjoint(owners(found)["bob"])


def test_people_are_counted_from_the_left_without_passersby() -> None:
    frames = [{"bob": face(250), "ann": face(60)} for _ in range(40)]
    tracks, found = follow(frames)
    tracks.add(40, 1.6, image_of({}), [face(160, 20, 8)])
    assert tracks.people(41) == [found[0]["ann"], found[0]["bob"]]


@pytest.mark.parametrize("speaker", ["ann", "bob"])
def test_of_two_similar_faces_the_one_that_moves_with_the_audio_is_the_main_one(speaker: str) -> None:
    loud = (np.arange(80) // 20) % 2
    generator = np.random.default_rng(2)
    frames = []
    for index in range(80):
        mouths = {name: 0.3 * generator.random() * (loud[index] if name == speaker else 0.05) for name in COLORS}
        frames.append({"ann": face(60, mouth=mouths["ann"]), "bob": face(250, mouth=mouths["bob"])})
    tracks, found = follow(frames)
    assert tracks.main(80, loud.astype(float)) == found[0][speaker]


def test_without_audio_the_largest_face_is_the_main_one() -> None:
    tracks, found = follow([{"ann": face(60, size=20), "bob": face(250, size=30)} for _ in range(20)])
    assert tracks.main(20) == found[0]["bob"]


def test_a_hand_over_the_mouth_is_noticed() -> None:
    tracks, points, visible = FaceTracks(), face(100), []
    points[list(MESH_UPPER_SKIN), 1], points[list(MESH_LOWER_SKIN), 1] = 52, 68
    for index in range(40):
        image = image_of({"ann": points})
        if 20 <= index < 30:
            image[62:] = 30
        tracks.add(index, index / 25, image, [points])
        visible.append(tracks.tracks[0].visible[-1])
    assert min(visible[:20]) == 1 and max(visible[20:30]) < 0.8 and min(visible[30:]) == 1
