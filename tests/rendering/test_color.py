from __future__ import annotations

import numpy as np

from facetalk.rendering.color import (
    BRIGHTEST,
    BYTE_TO_LINEAR,
    LINEAR_TO_BYTE,
    TONE_OFFSET,
    TONE_SHIFT,
    TONE_STEPS,
    TONE_TABLE,
    linear_to_srgb,
    srgb_to_linear,
    tone,
)


def test_srgb_and_linear_light_are_inverse() -> None:
    values = np.linspace(0, 1, 101)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-6)
    np.testing.assert_allclose(srgb_to_linear(np.array([0.5])), 0.21404114, rtol=1e-6)


def test_every_byte_survives_the_tables() -> None:
    rows = (np.sqrt(BYTE_TO_LINEAR) * (TONE_STEPS - 1) + 0.5).astype(int)
    np.testing.assert_array_equal(LINEAR_TO_BYTE[rows], np.arange(256))


def test_the_tone_table_is_exact_to_a_rounding() -> None:
    light = np.random.default_rng(0).uniform(0, 2, 4000).astype(np.float32) ** 2
    rows = (light + np.float32(TONE_OFFSET)).view(np.int32) - np.float32(TONE_OFFSET).view(np.int32) >> TONE_SHIFT
    exact = 255 * linear_to_srgb(tone(light.astype(np.float64)))
    assert np.abs(TONE_TABLE[rows] - exact).max() < 0.6


def test_tones_below_the_shoulder_are_true_and_highlights_never_clip_hard() -> None:
    light = np.linspace(0, BRIGHTEST, 1000)
    screen = tone(light)
    np.testing.assert_allclose(screen[light <= 0.6], light[light <= 0.6])
    assert (np.diff(screen) > 0).all() and screen[-1] < 1
    assert (np.diff(TONE_TABLE.astype(int)) >= 0).all() and TONE_TABLE[0] == 0
