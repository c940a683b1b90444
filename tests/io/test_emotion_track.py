"""Emotions over time from a CSV file, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.emotions import EMOTIONS, EmotionTrack
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io import emotion_track as module
from facetalk.io.emotion_track import emotion_track, is_auto, read_emotion_track

HEADER = "seconds,emotion,level\n"


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "track.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_track_is_a_mixture_at_each_time(tmp_path: Path) -> None:
    track = read_emotion_track(written(tmp_path, HEADER + "0,neutral,\n1.5,joy,2\n1.5,surprise,1\n3,sad,\n"))
    assert track.times.tolist() == [0, 1.5, 3]
    happy, sad, surprised = (track.levels[:, EMOTIONS.index(name)].tolist() for name in ("happy", "sad", "surprised"))
    assert (happy, sad, surprised) == ([0, 2, 0], [0, 0, 2], [0, 1, 0])


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffseconds;emotion;level\r\n0;happy;1\r\n\r\n2;sad;2.5\r\n",
        "Level\tEmotion\tSeconds\n1\thappy\t0\n2.5\tsad\t2\n\n",
        '"seconds","emotion","level"\n"0","happy","1"\n"2"," SAD ","2.5"\n',
    ],
)
def test_spreadsheets_write_tables_in_many_ways(tmp_path: Path, text: str) -> None:
    track = read_emotion_track(written(tmp_path, text))
    assert track.times.tolist() == [0, 2] and track.shown == ("happy", "sad")
    assert float(track.levels.sum()) == 3.5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("\n\n", r"has the columns \(none\); it must have seconds, emotion, level"),
        ("time,emotion\n0,happy\n", "has the columns time, emotion"),
        (HEADER, "has no rows"),
        (HEADER + "0,happy\n", "line 2: 2 fields, not 3"),
        (HEADER + "nan,happy,1\n", "line 2: seconds is 'nan', not a finite number"),
        (HEADER + "0,happy,inf\n", "line 2: level is 'inf', not a finite number"),
        (HEADER + "0,5,happy,1\n", "4 fields"),
        (HEADER + "-1,happy,1\n", "line 2: -1 s; times are from 0"),
        (HEADER + "1e9,happy,1\n", "times are from 0 to 86400"),
        (HEADER + "0,hapy,1\n", "line 2: unknown emotion 'hapy'; did you mean happy"),
        (HEADER + "0,,1\n", "unknown emotion ''"),
        (HEADER + "0,happy,4\n", "line 2: the level of happy is 4; it must lie between 0 and 3"),
        (HEADER + "0,happy,-1\n", "between 0 and 3"),
        (HEADER + "0,happy,2\n0,sad,2\n", "line 3: the levels of the emotions sum to 4; at most 3"),
        (HEADER + "0,happy,1\n0,joy,1\n", "line 3: happy occurs twice at 0 s"),
        (HEADER + "2,happy,1\n1,sad,1\n", "line 3: 1 s comes after a later time; sort the rows"),
        (HEADER + '0,"happy,1\n', "not a CSV table in UTF-8"),
        (b"\xff\xfe\x00seconds", "not a CSV table in UTF-8"),
        (HEADER + "0,ha\0ppy,1\n", "unknown emotion|not a CSV table"),
    ],
)
def test_what_is_no_track_is_refused_in_one_line(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(FacetalkError, match=reason) as found:
        read_emotion_track(written(tmp_path, text))
    assert "\n" not in str(found.value)
    assert not isinstance(found.value, UsageError)


def test_a_track_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 3)
    with pytest.raises(FacetalkError, match="has 5 lines; at most 3"):
        read_emotion_track(written(tmp_path, HEADER + "0,happy,1\n1,happy,1\n2,happy,1\n"))
    monkeypatch.setattr(module, "_MOST_BYTES", 10)
    with pytest.raises(FacetalkError, match="at most 10"):
        read_emotion_track(tmp_path / "track.csv")
    with pytest.raises(FacetalkError, match="missing"):
        read_emotion_track(tmp_path / "missing.csv")
    with pytest.raises(FacetalkError):
        read_emotion_track(tmp_path)


def test_what_is_asked_for_is_a_text_a_file_a_track_or_the_voice(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "0,happy,1\n")
    track = EmotionTrack.constant({"sad": 1})
    assert emotion_track(track) is track
    assert emotion_track(path).shown == emotion_track(str(path)).shown == ("happy",)  # pyright: ignore
    assert emotion_track(" AUTO ") is None and is_auto("auto") and not is_auto(path) and not is_auto(track)
    assert torch.equal(emotion_track("happy:1").levels, emotion_track(path).levels)  # pyright: ignore
    with pytest.raises(UsageError, match="unknown emotion"):
        emotion_track("cross")
