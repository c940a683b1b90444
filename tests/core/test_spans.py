import torch

from facetalk.core.spans import Span, runs


def test_runs_are_what_a_loop_finds() -> None:
    mask = torch.rand(200, generator=torch.Generator().manual_seed(0)) > 0.4
    slow, start = [], None
    for frame, value in enumerate([*mask.tolist(), False]):
        if value and start is None:
            start = frame
        elif not value and start is not None:
            slow.append((start, frame))
            start = None
    assert list(runs(mask)) == slow
    assert list(runs(torch.zeros(5, dtype=torch.bool))) == []


def test_a_span_can_be_moved() -> None:
    assert Span(3, 7).shifted(10) == Span(13, 17) and Span(3, 7).length == 4
