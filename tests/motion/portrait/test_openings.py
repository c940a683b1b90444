"""What lies in an open mouth is no color for a lip."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.landmarks import MESH_INNER_LIPS
from facetalk.motion.portrait.openings import outside_openings


def mouth(height: float) -> torch.Tensor:
    """An ellipse around (50, 50), 40 pixels wide."""
    detected = torch.full((478, 2), torch.nan)
    for index, number in enumerate(MESH_INNER_LIPS):
        angle = 2 * math.pi * index / len(MESH_INNER_LIPS)
        detected[number] = torch.tensor([50 + 20 * math.cos(angle), 50 + height / 2 * math.sin(angle)])
    return detected


def test_places_in_the_mouth_and_at_its_edge_do_not_count() -> None:
    places = torch.tensor([[50.0, 50.0], [50.0, 56.0], [50.0, 57.0], [50.0, 59.1], [20.0, 50.0]])
    shares = outside_openings(places, mouth(10.0))
    assert shares[:2].tolist() == [0, 0] and shares[3:].tolist() == [1, 1]
    assert shares[2] == pytest.approx(0, abs=0.05)
    assert torch.equal(outside_openings(places, torch.full((478, 2), torch.nan)), torch.ones(5))


def test_a_closed_mouth_has_no_edge() -> None:
    places = torch.tensor([[50.0, 50.5], [50.0, 49.0]])
    assert torch.equal(outside_openings(places, mouth(0.01)), torch.ones(2))
