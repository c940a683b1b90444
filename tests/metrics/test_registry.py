"""The contract of every metric: zero for equal clips, and figures with a unit in their names."""

from __future__ import annotations

import pytest
import torch

from facetalk.metrics.registry import METRICS, FacePair


def pair(offset: float) -> FacePair:
    generator = torch.Generator().manual_seed(0)
    template = 0.05 * torch.randn(70, 3, generator=generator)
    reference = template + 0.002 * torch.randn(9, 70, 3, generator=generator)
    predicted = reference + offset * torch.randn(9, 70, 3, generator=generator)
    members = torch.arange(10)
    return FacePair(predicted, reference, template, predicted[:, :68], reference[:, :68], members, members + 20)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_zero_for_equal_clips_only_and_names_its_unit(name: str) -> None:
    equal, different = METRICS[name](pair(0.0)), METRICS[name](pair(0.003))
    assert equal.keys() == different.keys() and all(key.endswith(("_mm", "_mm2")) for key in equal)
    for key in equal:
        assert equal[key] == pytest.approx(0.0, abs=1e-3)
        assert abs(different[key]) > 0.1
