"""Emotions over time from a CSV file, whatever is in it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from facetalk.core.emotions import EMOTIONS, EmotionTrack, level_row
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
        (HEADER + "0,5,happy,1\n", "4 fields, not 3; write decimals with a point"),
        ("seconds;emotion;level\n0;happy;1,5\n", "line 2: level is '1,5', not a finite number; write 1.5"),
        (HEADER + "0,happy,1\n0,sad,1\n2,sad,1\n2,happy,1\n2,sad,1\n", "line 6: sad occurs twice at 2 s"),
        (HEADER + "0,neutral,3\n0,happy,3\n1,sad,2\n1,fear,2\n1,neutral,\n", "line 6: .* sum to 4; at most 3"),
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
    (tmp_path / "happy").mkdir()
    for asked, reason in {
        "auto:2": "auto stands alone",
        "happy:1,auto": "auto stands alone",
        f"{tmp_path}/happy": "is a folder",
        "track.txt": "neither an emotion nor a file",
        "moods/track": "neither an emotion nor a file",
        "happy,1": "numbers have a decimal point",
        "happy:1,5": "numbers have a decimal point",
        "nne": r"did you mean none \(neutral\)",
        "a\0b": "unknown emotion",
        "x" * 5000: "unknown emotion",
    }.items():
        with pytest.raises(UsageError, match=reason):
            emotion_track(asked)
    assert emotion_track("happy:1.5") is not None


def test_a_long_track_is_read_in_seconds(tmp_path: Path) -> None:
    names = ("happy", "sad", "neutral", "angry")
    rows = [(row // 2 * 0.04, names[row % 4], row % 3 / 2) for row in range(20_000)]
    path = written(tmp_path, HEADER + "\n".join(f"{seconds:.2f},{name},{level}" for seconds, name, level in rows))
    start = time.process_time()
    track = read_emotion_track(path)
    assert time.process_time() - start < 1.5
    mixtures = [{name: level for _, name, level in rows[first : first + 2]} for first in range(0, 400, 2)]
    assert torch.equal(track.levels[:200], torch.stack([level_row(mixture) for mixture in mixtures]))
    assert len(track.times) == 10_000 and float(track.times[-1]) == pytest.approx(399.96)
