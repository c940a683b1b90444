import pytest
import torch

from facetalk.core.spans import Span
from facetalk.data.curation.spans import (
    Check,
    Split,
    apply_checks,
    cut_long,
    cut_to_length,
    drop_short,
    scene_spans,
    uncovered,
)


def covered(split: Split, whole: Span) -> bool:
    """Every frame of a span is kept or rejected exactly once."""
    count = torch.zeros(whole.stop)
    for span in [*split.kept, *(rejection.span for rejection in split.rejected)]:
        count[span.start : span.stop] += 1
    return bool((count[whole.start :] == 1).all()) and not bool(count[: whole.start].any())


@pytest.mark.parametrize("seed", range(5))
def test_every_frame_is_kept_or_has_a_reason(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(300, generator=generator).repeat_interleave(2)
    values[torch.rand(600, generator=generator) < 0.02] = torch.nan
    checks = (Check("a", values, 0.9), Check("b", torch.rand(600, generator=generator), 0.02, at_least=True))
    split = apply_checks([Span(40, 600)], checks, min_frames=20, forgiven=3, good_share=0.9)
    assert covered(split, Span(40, 600))
    assert all(span.length >= 20 for span in split.kept)
    for span in split.kept:
        good = torch.stack([check.good[span.start : span.stop] for check in checks]).all(0)
        assert float(good.float().mean()) >= 0.9


def test_a_long_violation_is_cut_out_with_its_reason_and_worst_value() -> None:
    yaw = torch.zeros(300)
    yaw[100:160] = 45
    yaw[130] = 60
    split = apply_checks([Span(0, 300)], [Check("turned aside", yaw, 30)], min_frames=50, forgiven=6, good_share=0.95)
    assert split.kept == [Span(0, 100), Span(160, 300)]
    (rejection,) = split.rejected
    assert (rejection.span, rejection.reason, rejection.value, rejection.threshold) == (
        (100, 160),
        "turned aside",
        60,
        30,
    )


def test_a_short_violation_is_forgiven_unless_there_are_too_many() -> None:
    few, many = torch.zeros(200), torch.zeros(200)
    few[100:104] = 1
    many.view(20, 10)[:, :3] = 1
    assert apply_checks([Span(0, 200)], [Check("x", few, 0.5)], 20, 6, 0.95).kept == [Span(0, 200)]
    split = apply_checks([Span(0, 200)], [Check("x", many, 0.5)], 20, 6, 0.95)
    assert not split.kept and [rejection.span for rejection in split.rejected] == [Span(0, 200)]


def test_a_short_good_stretch_between_two_violations_is_rejected_with_them() -> None:
    values = torch.zeros(100)
    values[30:40] = values[45:60] = 1
    split = apply_checks([Span(0, 100)], [Check("x", values, 0.5)], min_frames=20)
    assert split.kept == [Span(0, 30), Span(60, 100)]
    assert [rejection.span for rejection in split.rejected] == [Span(30, 60)]


def test_what_cannot_be_measured_fails() -> None:
    values = torch.full((10,), torch.nan)
    for at_least in (True, False):
        assert not bool(Check("x", values, 0.5, at_least).good.any())


def test_short_spans_are_dropped_with_their_length_in_seconds() -> None:
    split = drop_short([Span(0, 30), Span(40, 160)], 105, 30.0)
    assert split.kept == [Span(40, 160)]
    assert split.rejected[0].value == 1.0 and split.rejected[0].threshold == 3.5


def test_training_clips_have_one_length_and_lie_in_the_middle() -> None:
    split = cut_to_length([Span(10, 260)], 105, 30.0)
    assert split.kept == [Span(30, 135), Span(135, 240)]
    assert covered(split, Span(10, 260))
    assert {rejection.reason for rejection in split.rejected} == {"remainder"}
    assert cut_to_length([Span(0, 50)], 105, 30.0).rejected[0].span == Span(0, 50)


def test_long_spans_are_cut_evenly() -> None:
    assert cut_long([Span(0, 100), Span(100, 350)], 100) == [
        Span(0, 100),
        Span(100, 183),
        Span(183, 266),
        Span(266, 350),
    ]


def test_scenes_and_gaps() -> None:
    assert scene_spans([50, 0, 120, 500], 200) == [Span(0, 50), Span(50, 120), Span(120, 200)]
    assert uncovered(Span(10, 100), [Span(0, 20), Span(30, 40), Span(35, 60)]) == [Span(20, 30), Span(60, 100)]
