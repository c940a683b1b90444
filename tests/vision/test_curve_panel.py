from __future__ import annotations

import numpy as np
import pytest

from facetalk.vision.curve_panel import CurvePanel


@pytest.mark.parametrize("size", [(240, 240), (480, 144), (120, 400)])
def test_a_panel_has_its_size_and_moves_with_the_curve(size: tuple[int, int]) -> None:
    values = np.zeros(60)
    values[30:34] = 1.0
    panel = CurvePanel([("mouth", (0.0, 1.0), ("open",))], {"open": values}, 30.0, size, span_s=1.0)
    images = [panel.draw(frame).astype(int) for frame in (0, 25, 31, 59)]
    assert all(image.shape == (size[1], size[0], 3) for image in images)
    orange = [(image[..., 0] - image[..., 2] > 60)[size[1] // 3 :] for image in images]
    # The bump comes from the right, stands in the middle, and has left to the left.
    middle = size[0] / 2
    rows = size[1] // 6
    top = [np.flatnonzero(mask[:rows].any(0)) for mask in orange]
    assert top[1].size and top[1].mean() > middle
    assert abs(top[2].mean() - middle) < 0.1 * size[0]
    assert not top[3].size
