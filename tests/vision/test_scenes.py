import numpy as np

from facetalk.vision.scenes import CutFinder


def test_a_cut_is_found_and_motion_is_not_a_cut() -> None:
    first = np.zeros((60, 80, 3), np.uint8) + np.linspace(20, 90, 80).astype(np.uint8)[None, :, None]
    second = np.full((60, 80, 3), (200, 90, 30), np.uint8)
    finder = CutFinder(3.0, 15.0)
    for frame in range(20):
        finder.add(np.roll(first, frame, 1))
    for _ in range(20):
        finder.add(second)
    assert finder.cuts == (20,)


def test_one_long_take_has_no_cuts() -> None:
    finder = CutFinder(3.0, 15.0)
    for brightness in range(100, 140):
        finder.add(np.full((60, 80, 3), brightness, np.uint8))
    assert finder.cuts == ()
