"""Transcripts in every format and encoding, and what is wrong with others."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from facetalk.audio.transcript import SaidText, Transcript
from facetalk.core.errors import FacetalkError
from facetalk.core.events import Event
from facetalk.io import transcript as reader
from facetalk.io.transcript import read_transcript

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> {\\an8}there,
[music] Bob &amp; Ann (laughs)

2
00:01:00,5 --> 00:01:02,000 X1:40
Bye
"""
LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "TextTier"
        name = "tones"
        xmin = 0
        xmax = 2
        points: size = 1
        points [1]:
            number = 0.5
            mark = "H*"
    item [2]:
        class = "IntervalTier"
        name = "Ann - words"
        xmin = 0
        xmax = 2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1
            text = "say ""hi"" now"
        intervals [3]:
            xmin = 1
            xmax = 2
            text = "bee"
    item [3]:
        class = "IntervalTier"
        name = "{name}"
        xmin = 0
        xmax = 2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1
            text = "sil"
        intervals [2]:
            xmin = 1
            xmax = 1.5
            text = "B"
        intervals [3]:
            xmin = 1.5
            xmax = 2
            text = "IY1"
"""


def written(folder: Path, content: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_is_read_in_any_common_encoding(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "Café\r\nfor <b>two</b> [door]".encode(encoding))
    assert [part.text.split() for part in read_transcript(path).parts] == [["Café", "for", "two"]]


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_subtitles_lose_their_markup_and_keep_their_times(tmp_path: Path, name: str) -> None:
    head = "WEBVTT\n\nNOTE no words\n\n" if name == "a.vtt" else "\n"
    first, second = read_transcript(written(tmp_path, head + SRT, name)).parts
    assert (first.text.split(), first.start_s, first.end_s) == (["Hello", "there,", "Bob", "&", "Ann"], 1.0, 2.5)
    assert (second.text, second.start_s, second.end_s) == ("Bye", 60.5, 62.0)


def test_subtitles_that_overlap_are_one(tmp_path: Path) -> None:
    text = "00:03.000 --> 00:05.000\nb\n\n00:01.000 --> 00:03.500\na\n"
    assert read_transcript(written(tmp_path, text, "a.vtt")).parts == (SaidText("a\nb", 1.0, 5.0),)


def test_a_textgrid_has_words_and_phonemes_at_its_times(tmp_path: Path) -> None:
    transcript = read_transcript(written(tmp_path, LONG.format(name="phones").encode("utf-16"), "a.TextGrid"))
    assert transcript.parts == ()
    assert transcript.events == (
        Event("phoneme", 0, 1, "SIL"),
        Event("word", 0.5, 1, 'say "hi" now'),
        Event("word", 1, 2, "bee"),
        Event("phoneme", 1, 1.5, "B"),
        Event("phoneme", 1.5, 2, "IY"),
    )


def test_a_textgrid_without_phonemes_has_words_within_their_times(tmp_path: Path) -> None:
    said = read_transcript(written(tmp_path, LONG.format(name="other"), "a.TextGrid")).parts
    assert said == (SaidText('say "hi" now', 0.5, 1.0), SaidText("bee", 1.0, 2.0, is_exact=True))


def test_the_short_format_says_the_same(tmp_path: Path) -> None:
    short = '"ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n1\n"IntervalTier"\n"phonemes"\n0\n1\n1\n0\n1\n"ʃ"\n'
    assert read_transcript(written(tmp_path, short)).events == (Event("phoneme", 0, 1, "SH"),)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("", "a.txt", "is empty"),
        ("12, ... [noise] -", "a.txt", None),
        (" ... [noise] -", "a.txt", "holds no words"),
        (b"\xff\xfe\x00", "a.txt", "not a text file"),
        (b"RIFF\x00\x00\x00\x00\xff", "a.txt", "not a text file"),
        (b"a\x00b", "a.txt", "zero bytes"),
        ("no times", "a.srt", "has no subtitles"),
        ("00:02.000 --> 00:01.000\nx", "a.vtt", "line 1: the subtitle ends before it begins"),
        ("words", "a.TextGrid", "cut off"),
        ('"x" "y"', "a.TextGrid", "not a TextGrid"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 1e9', "a.TextGrid", "number of tiers"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "w" 0 1 9', "a.TextGrid", "cut off"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 0', "a.TextGrid", "its tiers: none"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "w" 0 1 1 5 1 "x"', "a.TextGrid", "no span"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "phone" 0 1 1 0 1 "7"', "a.TextGrid", "ARPABET"),
        ('"ooTextFile" "TextGrid" 0 1 <exists> "1"', "a.TextGrid", "where a number should be"),
    ],
)  # fmt: skip
def test_an_unusable_file_is_one_line(tmp_path: Path, content: str | bytes, name: str, message: str | None) -> None:
    path = written(tmp_path, content, name)
    if message is None:
        assert isinstance(read_transcript(path), Transcript)
        return
    with pytest.raises(FacetalkError, match=message) as caught:
        read_transcript(path)
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_BYTES", 10)
    with pytest.raises(FacetalkError, match="at most 10"):
        read_transcript(written(tmp_path, "more than ten bytes"))


def test_nonsense_takes_no_time(tmp_path: Path) -> None:
    for text in ("<" * 300_000, "[" * 300_000, '"' * 300_001, "0" * 300_000, "(a" * 100_000, "00:00:" * 50_000):
        for name in ("a.txt", "a.srt", "a.TextGrid"):
            try:
                transcript = read_transcript(written(tmp_path, text, name))
            except FacetalkError:
                continue
            assert all(part.end_s == math.inf for part in transcript.parts)
