import torch

from facetalk.core.events import Event
from facetalk.core.spans import Span
from facetalk.talkers.laughs import laugh_envelope, laugh_events, laugh_spans, laugh_windows


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


def test_neighbors_join_in_one_stretch() -> None:
    spans = [Span(100, 120), Span(150, 160), Span(400, 420)]
    assert laugh_windows(spans, 450) == [Span(55, 205), Span(355, 450)]
    assert laugh_windows([], 450) == []
