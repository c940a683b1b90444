import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from facetalk.pipelines.reports.charts import TimelineItem, curve, histogram, thin, timeline
from facetalk.pipelines.reports.page import ClipReport, RejectedSpan, Report, Snapshot, render_page

VOID = {"meta", "img", "input", "link", "br"}


class Balance(HTMLParser):
    """Fails where a tag is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag, attrs):
        links = [value or "" for name, value in attrs if name in ("src", "href")]
        self.outside += [link for link in links if not link.startswith("data:")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()


def image(value: int) -> np.ndarray:
    return np.full((16, 16, 3), value, np.uint8)


def clip(name: str, error: float = 0.01) -> ClipReport:
    values = [error] * 40
    return ClipReport(
        name=name,
        source="in/a.mp4",
        facts={"speaker": "<Ann>", "label": ""},
        duration_s=40 / 30,
        mean_error=0.0 if math.isnan(error) else error,
        fit_error=values,
        confidence=[1.0] * 40,
        curves={"jawOpen": [0.5] * 40},
        snapshots=[Snapshot(0.5, image(9), image(99)), Snapshot(1.0, None, image(50))],
    )


def page() -> str:
    return render_page(
        Report(
            title="Fit of <x>",
            clips=[clip("one"), clip("two", 0.02), clip("three", math.nan)],
            rejected=[
                RejectedSpan("in/a.mp4", 1.0, 2.5, "0", "no voice", "0.1", "0.15"),
                RejectedSpan("in/b.mp4", None, None, "", "no face was found", "", ""),
            ],
            spans={"in/a.mp4": [(0.0, 1.0, "0", "one"), (0.5, 1.5, "1", "two")]},
        )
    )


def test_the_page_is_well_formed_and_fetches_nothing() -> None:
    parser = Balance()
    parser.feed(page())
    assert not parser.open and not parser.outside
    assert "://" not in page() and "@import" not in page()


def test_text_is_escaped_and_empty_facts_are_omitted() -> None:
    html = page()
    assert "&lt;Ann&gt;" in html and "<Ann>" not in html and "Fit of &lt;x&gt;" in html
    assert "<dt>label</dt>" not in html


def test_every_rejected_span_is_a_row_with_its_reason() -> None:
    html = page()
    assert html.count("<tr><td>") == 2
    assert "no voice" in html and "no face was found" in html and "0.15" in html


def test_images_have_descriptions_and_missing_originals_are_omitted() -> None:
    images = re.findall(r'<img alt="([^"]+)"', page())
    assert images[:3] == ["original at 0.5 s", "render at 0.5 s", "render at 1.0 s"]


def test_faces_that_are_visible_at_the_same_time_have_a_row_each() -> None:
    assert 'y="1"' in page() and 'y="15"' in page()


@pytest.mark.slow
def test_hundreds_of_clips_make_a_page_of_a_few_megabytes() -> None:
    many = render_page(Report(title="many", clips=[clip(str(index)) for index in range(400)]))
    assert len(many) < 4e6


def test_thinning_keeps_the_peak_and_the_gaps() -> None:
    values = [0.0] * 5000
    values[1234] = 1.0
    values[3000] = math.nan
    kept = thin(values)
    assert len(kept) < 300 and max(value for _, value in kept if value == value) == 1
    assert any(math.isnan(value) for _, value in kept)
    assert [place for place, _ in kept] == sorted(place for place, _ in kept)


def test_charts_describe_what_they_show() -> None:
    assert 'aria-label="error: 0 to 1, mean 0.5"' in curve([0, 1], 0, 1, "error")
    assert curve([0, math.nan, 1, 1], 0, 1, "x").count("<polyline") == 2
    assert curve([], 0, 1, "nothing").count("<polyline") == 0
    assert histogram([0.0, 0.0], "two").count("<rect") == 24
    assert "<title>kept</title>" in timeline([TimelineItem(0, 1, 0, "kept", "kept")], 2.0, "all")
