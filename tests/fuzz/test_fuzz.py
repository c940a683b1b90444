"""Two hundred mutated files with fixed seeds; `python -m tests.fuzz` runs thousands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.cases import judge, mutated, write_seeds
from tests.fuzz.kinds import KINDS

PER_KIND = {True: 2, False: 13}
"""Files of a kind, by whether a process is started to read each."""
ENCODED = ("mp3", "mp4", "flv", "mkv", "ts", "ogg")
"""Kinds for which ffmpeg runs several times."""


def number(name: str) -> int:
    return 3 if name in ENCODED else PER_KIND[KINDS[name].confined]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    write_seeds(folder)
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_mutated_files_are_read_or_refused_in_one_line(seeds: Path, tmp_path: Path, name: str) -> None:
    for seed in range(number(name)):
        verdict = judge(seeds, name, seed, tmp_path / str(seed))
        assert verdict.result != "broken", f"{name}:{seed} {verdict.message}"


def test_there_are_two_hundred_of_them_and_they_differ(seeds: Path) -> None:
    contents = Counter(mutated(seeds, name, seed) for name in KINDS for seed in range(number(name)))
    assert contents.total() >= 200 and len(contents) > 180


@pytest.mark.parametrize(
    "name", ["wav", "motion", "style", "description", "configuration", "manifest", "gnm", "record"]
)
def test_the_files_that_are_mutated_are_valid(seeds: Path, tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    place = tmp_path / name
    place.mkdir()
    for path in (seeds / name).iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    kind.read(place / kind.name, tmp_path)


@pytest.mark.slow
def test_a_thousand_files_leave_no_trace(seeds: Path, tmp_path: Path) -> None:
    for index in range(1000):
        name = list(KINDS)[index % len(KINDS)]
        verdict = judge(seeds, name, 1000 + index, tmp_path / str(index))
        assert verdict.result != "broken", f"{name}:{1000 + index} {verdict.message}"
