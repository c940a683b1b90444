import math

import torch

from facetalk.core.events import Event
from facetalk.core.spans import Span
from facetalk.talkers.laughs import laugh_envelope, laugh_events, laugh_spans, laugh_windows, with_afterglow


def test_a_laugh_is_an_event_with_its_strength() -> None:
    probability = torch.zeros(120)
    probability[30:60] = 0.9
    probability[64:75] = 0.85  # a gap of less than 0.3 s
    probability[100:104] = 1.0  # too short
    (laugh,) = laugh_events(probability)
    assert (laugh.kind, laugh.start, laugh.end) == ("laugh", 1.0, 2.5)
    assert laugh.strength is not None
    assert 0.7 < laugh.strength < 0.9
    assert laugh_events(torch.zeros(50)) == ()


def test_spans_are_frames_inside_the_motion() -> None:
    events = [Event("laugh", 1.0, 2.0), Event("blink", 0.0, 0.1), Event("laugh", 3.0, 9.0)]
    assert laugh_spans(events, 120) == [Span(30, 60), Span(90, 120)]


def test_a_laugh_fades_in_and_out() -> None:
    shown = laugh_envelope([Span(30, 60)], 120)
    assert (shown[30:60] == 1).all()
    assert (shown[:24] == 0).all()
    assert (shown[72:] == 0).all()
    assert (shown[24:31].diff() >= 0).all()
    assert (shown[59:73].diff() <= 0).all()
    assert shown.diff().abs().max() < 0.3


def test_a_smile_outlasts_its_laugh() -> None:
    rows = torch.zeros(200, 2)
    rows[50:80, 0] = 0.6
    rows[60:80, 1] = -0.2
    slow = with_afterglow(rows, [Span(50, 80)])
    torch.testing.assert_close(slow[:80], rows[:80])
    assert (slow[79:139, 0].diff() < 0).all()
    torch.testing.assert_close(slow[94, 0], torch.tensor(0.6 * math.exp(-1)), atol=1e-4, rtol=0)
    torch.testing.assert_close(slow[:, 1], rows[:, 1])
    assert not slow[140:].any()


def test_the_afterglow_of_long_laughs_is_the_same() -> None:
    rows = torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    rows[15_000:] = 0
    slow = with_afterglow(rows, [Span(0, 15_000)])
    expected, now = torch.zeros(20_000), 0.0
    for frame in range(15_060):
        now = max(float(rows[frame]), now * math.exp(-1 / 15))
        expected[frame] = now
    torch.testing.assert_close(slow[:15_060, 0], expected[:15_060], atol=1e-5, rtol=0)


def test_neighbors_join_in_one_stretch() -> None:
    spans = [Span(100, 120), Span(150, 160), Span(400, 420)]
    assert laugh_windows(spans, 450) == [Span(55, 205), Span(355, 450)]
    assert laugh_windows([], 450) == []
