"""Events as text: TextGrids, subtitles, mouth cues and tables, read back by programs that others wrote."""

from __future__ import annotations

import csv
import json
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from facetalk.audio.phonemes import PHONEMES
from facetalk.core.errors import FacetalkError
from facetalk.core.events import Event
from facetalk.core.motion import Motion, still_motion
from facetalk.exporters.base import ExportOptions
from facetalk.exporters.mouth_cues import OF_PHONEME
from facetalk.exporters.registry import load_exporter
from facetalk.exporters.text_cues import text_cues
from facetalk.exporters.textgrid import intervals
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel

WORDS = [(0.5, 0.8, "say"), (0.8, 1.0, '"hi"'), (1.0, 1.4, "R&B <now>"), (2.0, 2.5, "done")]
PHONEMES_SAID = [
    (0.0, 0.5, "SIL"), (0.5, 0.6, "S"), (0.6, 0.8, "EY"), (0.8, 1.0, "AY"), (1.0, 1.1, "B"), (1.1, 1.4, "UW"),
    (1.4, 2.0, "SIL"), (2.0, 2.2, "F"), (2.2, 2.5, "L"),
]  # fmt: skip


def silent(seconds: float = 3.0) -> Motion:
    return still_motion("toy", torch.zeros(round(30 * seconds), 52), ARKIT_NAMES, 30.0, 3)


def talking() -> Motion:
    events = [Event("word", *word) for word in WORDS] + [Event("phoneme", *phoneme) for phoneme in PHONEMES_SAID]
    others = [Event("blink", 0.2, 0.5, strength=0.9), Event("phrase", 0.5, 1.4), Event("phrase", 2.0, 2.5)]
    return silent().with_events(events + others).replace(source='a <b> "c".wav')


def written(tmp_path: Path, name: str, head: HeadModel, motion: Motion, **options: str) -> Path:
    load_exporter(name).write(tmp_path / "clip", motion, head, ExportOptions(**options))  # type: ignore[arg-type]
    return tmp_path / "clip"


def test_praat_reads_every_tier(tmp_path: Path, toy_head: HeadModel) -> None:
    textgrids = pytest.importorskip("textgrids", reason="praat-textgrids is not installed")
    grid = textgrids.TextGrid(str(written(tmp_path, "textgrid", toy_head, talking())))
    assert list(grid) == ["phrases", "words", "phonemes", "blinks"]
    assert (grid.xmin, grid.xmax) == (0, 3)
    # The reader takes quotes off both ends of a text, also those that belong to it.
    assert [(i.xmin, i.xmax, i.text) for i in grid["words"] if i.text] == [(*w[:2], w[2].strip('"')) for w in WORDS]
    assert 'text = """hi"""' in (tmp_path / "clip").read_text("utf-8")
    for tier in grid.values():
        assert (tier[0].xmin, tier[-1].xmax) == (0, 3)
        assert all(first.xmax == second.xmin for first, second in pairwise(tier))
    assert [interval.text for interval in grid["blinks"]] == ["", "blink", ""]


def test_intervals_fill_the_time_without_overlap() -> None:
    events = [Event("word", 0.5, 1.0, "a"), Event("word", 0.8, 1.2, "b"), Event("word", 1.2, 1.2, "c")]
    assert list(intervals(events, 2.0)) == [
        (0.0, 0.5, ""), (0.5, 1.0, "a"), (1.0, 1.2, "b"), (1.2, 2.0, ""),
    ]  # fmt: skip
    assert list(intervals([Event("word", 0.0, 5.0, "a")], 2.0)) == [(0.0, 2.0, "a")]
    assert list(intervals([Event("nod", 1.0, 1.0)], 2.0)) == [(0.0, 2.0, "")]


def test_subtitles_are_lines_between_pauses(tmp_path: Path, toy_head: HeadModel) -> None:
    srt = pytest.importorskip("srt", reason="srt is not installed")
    cues = list(srt.parse(written(tmp_path, "srt", toy_head, talking()).read_text("utf-8"), ignore_errors=False))
    assert [(cue.index, cue.content) for cue in cues] == [(1, 'say "hi" R&B <now>'), (2, "done")]
    assert [(cue.start.total_seconds(), cue.end.total_seconds()) for cue in cues] == [(0.5, 1.4), (2.0, 2.5)]


def test_a_cue_can_be_a_word_or_a_phoneme(tmp_path: Path, toy_head: HeadModel) -> None:
    srt = pytest.importorskip("srt", reason="srt is not installed")
    for unit, spoken in (("word", WORDS), ("phoneme", [p for p in PHONEMES_SAID if p[2] != "SIL"])):
        text = written(tmp_path, "srt", toy_head, talking(), cues=unit).read_text("utf-8")
        found = [(c.start.total_seconds(), c.end.total_seconds(), c.content) for c in srt.parse(text)]
        assert found == spoken


def test_webvtt_has_the_time_of_every_word(tmp_path: Path, toy_head: HeadModel) -> None:
    webvtt = pytest.importorskip("webvtt", reason="webvtt-py is not installed")
    path = written(tmp_path, "vtt", toy_head, talking()).rename(tmp_path / "clip.vtt")
    captions = webvtt.read(str(path)).captions
    assert [(c.start, c.end) for c in captions] == [("00:00:00.500", "00:00:01.400"), ("00:00:02.000", "00:00:02.500")]
    assert captions[0].raw_text == 'say <00:00:00.800>"hi" <00:00:01.000>R&amp;B &lt;now&gt;'
    assert re.fullmatch(
        r"WEBVTT\n(\n\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}\n[^\n]+\n)+", path.read_text("utf-8")
    )


def test_long_speech_is_divided_into_lines_of_readable_length() -> None:
    words = [Event("word", 0.2 * n, 0.2 * n + 0.2, "word" * (1 + n % 3)) for n in range(100)]
    cues = text_cues(silent(20).with_events(words), "line")
    assert all(len(cue.text) <= 84 and cue.end - cue.start <= 7000 for cue in cues)
    assert " ".join(cue.text for cue in cues) == " ".join(word.label for word in words)
    assert 5 < len(cues) < 15


def test_without_words_subtitles_show_phonemes() -> None:
    motion = silent().with_events([Event("phoneme", *phoneme) for phoneme in PHONEMES_SAID])
    assert [cue.text for cue in text_cues(motion, "line")] == ["S EY AY B UW", "F L"]


@pytest.mark.parametrize(
    ("name", "options", "missing"),
    [
        ("textgrid", {}, "the motion has no events; facetalk animate finds"),
        ("events", {}, "no events"),
        ("srt", {}, "no words and no phonemes"),
        ("vtt", {"cues": "word"}, "the motion has no words; facetalk animate finds"),
    ],
)
def test_a_motion_without_the_events_is_refused(
    tmp_path: Path, toy_head: HeadModel, name: str, options: dict[str, str], missing: str
) -> None:
    with pytest.raises(FacetalkError, match=missing):
        written(tmp_path, name, toy_head, silent(), **options)
    assert not list(tmp_path.iterdir())


def test_mouth_cues_say_the_same_in_all_three_layouts(tmp_path: Path, toy_head: HeadModel) -> None:
    rows = written(tmp_path, "rhubarb-tsv", toy_head, talking()).read_text().splitlines()
    table = [(float(start), shape) for start, shape in (row.split("\t") for row in rows)]
    assert table == [
        (0.0, "X"), (0.5, "B"), (0.6, "C"), (0.7, "B"), (0.8, "D"), (0.9, "B"), (1.0, "A"), (1.1, "F"), (1.4, "X"),
        (2.0, "G"), (2.2, "H"), (2.5, "X"), (3.0, "X"),
    ]  # fmt: skip

    document = json.loads(written(tmp_path, "rhubarb-json", toy_head, talking()).read_text())
    assert document["metadata"] == {"soundFile": 'a <b> "c".wav', "duration": 3.0}
    cues = [(cue["start"], cue["value"]) for cue in document["mouthCues"]]
    assert cues == table[:-1]
    assert all(first["end"] == second["start"] for first, second in pairwise(document["mouthCues"]))

    root = ElementTree.parse(written(tmp_path, "rhubarb-xml", toy_head, talking())).getroot()
    assert (root.tag, [child.tag for child in root]) == ("rhubarbResult", ["metadata", "mouthCues"])
    assert root.findtext("metadata/soundFile") == 'a <b> "c".wav'
    assert [(float(cue.attrib["start"]), cue.text) for cue in root.iter("mouthCue")] == table[:-1]
    assert float(list(root.iter("mouthCue"))[-1].attrib["end"]) == 3.0


def test_mouth_cues_of_a_motion_without_phonemes_follow_its_mouth(tmp_path: Path, toy_head: HeadModel) -> None:
    expression = torch.zeros(90, 52)
    expression[30:60, ARKIT_NAMES.index("jawOpen")] = 0.6
    expression[60:75, ARKIT_NAMES.index("mouthPucker")] = 0.8
    motion = still_motion("toy", expression, ARKIT_NAMES, 30.0, 3)
    rows = written(tmp_path, "rhubarb-tsv", toy_head, motion).read_text().splitlines()
    assert [row.split("\t") for row in rows] == [
        ["0.00", "X"],
        ["1.00", "D"],
        ["2.00", "F"],
        ["2.50", "X"],
        ["3.00", "X"],
    ]


def test_every_phoneme_has_mouth_shapes() -> None:
    assert set(OF_PHONEME) == set(PHONEMES)
    assert set("".join(OF_PHONEME.values())) == set("ABCDEFGHX")


def test_the_table_of_events_has_a_row_for_each(tmp_path: Path, toy_head: HeadModel) -> None:
    motion = talking()
    with written(tmp_path, "events", toy_head, motion).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], float(row["start_s"]), float(row["end_s"]), row["label"]) for row in rows] == [
        (event.kind, event.start, event.end, event.label) for event in motion.events
    ]
    assert [row["strength"] for row in rows if row["kind"] == "blink"] == ["0.9000"]
