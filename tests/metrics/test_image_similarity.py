"""SSIM and PSNR beside loops, hand-made cases, and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.metrics.image_similarity import EQUAL_DB, mean_over_images, psnr_db, ssim


def noise(seed: int, height: int = 17, width: int = 14) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def slow_ssim(first: np.ndarray, second: np.ndarray) -> float:
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for channel in range(3):
        for row in range(5, first.shape[0] - 5):
            for column in range(5, first.shape[1] - 5):
                part = slice(row - 5, row + 6), slice(column - 5, column + 6), channel
                x, y = first[part].astype(float), second[part].astype(float)
                mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
                var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
                both = (weights * (x - mean_x) * (y - mean_y)).sum()
                c1, c2 = 2.55**2, 7.65**2
                found.append(
                    (2 * mean_x * mean_y + c1) * (2 * both + c2)
                    / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
                )  # fmt: skip
    return float(np.mean(found))


def test_ssim_equals_its_definition_in_loops() -> None:
    first, second = noise(0), noise(1)
    mixed = (0.7 * first + 0.3 * second).astype(np.uint8)
    for other in (second, mixed):
        assert ssim(first, other) == pytest.approx(slow_ssim(first, other), abs=1e-4)
    assert ssim(first, first) == pytest.approx(1, abs=1e-6)


def test_ssim_of_two_plain_images_is_that_of_their_brightness() -> None:
    first, second = (np.full((12, 12, 3), value, np.uint8) for value in (100, 150))
    c1 = 2.55**2
    assert ssim(first, second) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), abs=1e-4)
    with pytest.raises(FacetalkError, match="10x30 pixels; SSIM needs 11"):
        ssim(noise(0, 30, 10), noise(1, 30, 10))


def test_psnr_by_hand() -> None:
    first = np.full((4, 4, 3), 100, np.uint8)
    second = first.copy()
    second[0, 0, 0] = 124  # a squared error of 576 in 48 values: 12 on average
    assert psnr_db(first, second) == pytest.approx(10 * math.log10(255**2 / 12))
    assert psnr_db(first, first) == EQUAL_DB
    black, white = (np.full((4, 4, 3), value, np.uint8) for value in (0, 255))
    assert psnr_db(black, white) == 0


def test_a_mean_over_images_reads_one_pair_at_a_time() -> None:
    alive = 0

    def pairs():
        nonlocal alive
        for seed in range(3):
            alive += 1
            yield noise(seed), noise(seed)

    def figure(first: np.ndarray, second: np.ndarray) -> float:
        return float(alive)

    found = mean_over_images("figure", pairs(), figure)
    assert found.curves["figure"].tolist() == [1, 2, 3] and found.figures == {"figure": 2}


@pytest.mark.slow  # importing torchmetrics takes ten seconds
def test_images_and_lips_are_judged_as_by_torchmetrics() -> None:
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
    from torchmetrics.functional.multimodal import lip_vertex_error

    from facetalk.metrics.vertices import largest_error_mm

    first, second = noise(3, 40, 50), noise(4, 40, 50)
    mixed = (0.8 * first + 0.2 * second).astype(np.uint8)
    ours, theirs = (torch.from_numpy(image).float().movedim(2, 0)[None] for image in (mixed, first))
    expected = structural_similarity_index_measure(ours, theirs, data_range=255.0)
    assert isinstance(expected, torch.Tensor)
    # torchmetrics also counts windows beyond the edge, which are mirrored there, unless it crops them as here.
    assert ssim(mixed, first) == pytest.approx(float(expected), abs=1e-3)
    expected = peak_signal_noise_ratio(ours, theirs, data_range=255.0)
    assert psnr_db(mixed, first) == pytest.approx(float(expected), abs=1e-4)
    generator = torch.Generator().manual_seed(0)
    predicted, reference = (0.1 * torch.randn(9, 30, 3, generator=generator) for _ in range(2))
    expected = lip_vertex_error(predicted, reference, mouth_map=[2, 5, 7])
    found = largest_error_mm(predicted, reference, torch.tensor([2, 5, 7])).square().mean()
    assert float(found) == pytest.approx(1e6 * float(expected), rel=1e-5)
