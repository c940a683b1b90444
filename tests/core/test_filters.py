import numpy as np
import pytest
from scipy.signal import lfilter

from facetalk.core.filters import all_pole


@pytest.mark.parametrize("feedback", [(-0.9,), (-1.8, 0.81), (-1.2, 0.5, -0.1)], ids=len)
def test_it_filters_as_scipy_does(feedback: tuple[float, ...]) -> None:
    signal = np.random.default_rng(0).standard_normal((200, 3))
    expected = lfilter([0.3], [1.0, *feedback], signal, axis=0)
    filtered, _ = all_pole(signal, 0.3, feedback)
    np.testing.assert_allclose(filtered, expected, rtol=1e-12, atol=1e-14)


def test_each_column_has_its_own_filter_and_blocks_join_without_a_seam() -> None:
    signal = np.random.default_rng(0).standard_normal((50, 2, 3))
    gain, decay = np.array([1.0, 0.5, 0.2]), np.array([-0.1, -0.5, -0.9])
    whole, _ = all_pole(signal, gain, [decay])
    first, memory = all_pole(signal[:20], gain, [decay])
    second, _ = all_pole(signal[20:], gain, [decay], memory)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    for column in range(3):
        expected = lfilter([gain[column]], [1.0, decay[column]], signal[:, :, column], axis=0)
        np.testing.assert_allclose(whole[:, :, column], expected, rtol=1e-12)
