import numpy as np
import pytest
import torch

from facetalk.core.spans import Span
from facetalk.data.curation.tracks import MEASURES, FaceLinker, measured_face, split_rows


def box(x: float, y: float = 0.0, side: float = 100.0) -> np.ndarray:
    return np.array([x, y, x + side, y + side])


def test_faces_keep_their_numbers_while_they_move_and_swap_order() -> None:
    linker = FaceLinker()
    assert linker.link(np.stack([box(0), box(300)]), 0.0) == [0, 1]
    assert linker.link(np.stack([box(290), box(20)]), 0.04) == [1, 0]
    assert linker.link(np.stack([box(40)]), 0.08) == [0]


def test_a_jump_or_a_long_absence_begins_a_new_track() -> None:
    linker = FaceLinker()
    assert linker.link(box(0)[None], 0.0) == [0]
    assert linker.link(box(200)[None], 0.04) == [1]
    assert linker.link(np.zeros((0, 4)), 0.4) == []
    assert linker.link(box(200)[None], 0.5) == [1]
    assert linker.link(box(200)[None], 1.2) == [2]


def measures(times: torch.Tensor, **columns: torch.Tensor) -> torch.Tensor:
    table = {name: torch.zeros(len(times)) for name in MEASURES} | {"right": torch.full((len(times),), 100.0)}
    return torch.stack([(table | columns)[name] for name in MEASURES], 1)


@pytest.mark.parametrize("fps", [12.0, 25.0, 60.0])
def test_speeds_do_not_depend_on_the_frame_rate(fps: float) -> None:
    times = torch.arange(int(4 * fps)) / fps
    rows = measures(times, yaw=30 * times, x=50 * times)
    track = measured_face(3, times.double(), rows, Span(0, 118), 118)
    assert bool(track.seen.all()) and track.span == Span(0, 118)
    assert float(track.turn_deg_s[10:-10].mean()) == pytest.approx(30, rel=0.03)
    assert float(track.move_widths_s[10:-10].mean()) == pytest.approx(0.5, rel=0.03)


def test_a_face_ends_with_its_scene_and_has_gaps() -> None:
    times = torch.cat([torch.arange(30), torch.arange(60, 100)]).double() / 30
    track = measured_face(0, times, measures(times), Span(0, 90), 200)
    assert track.span == Span(0, 90)
    assert not bool(track.seen[40:50].any()) and bool(track.width_px[45].isnan())


def test_rows_are_sorted_by_track() -> None:
    assert {number: rows.tolist() for number, rows in split_rows(np.array([0, 1, 0, 2])).items()} == {
        0: [0, 2],
        1: [1],
        2: [3],
    }
