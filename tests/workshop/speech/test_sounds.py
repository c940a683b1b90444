import csv
from pathlib import Path

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.data.laughter import read_laughter_pack
from facetalk.io.audio import write_wav
from facetalk.workshop.speech.sounds import add_sounds


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "MANIFEST.csv").write_text("path,text,kind,speaker,has_audio\n")
    return folder


def unpacked(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_wav(folder / path, 0.1 * torch.ones(8_000))
    return folder


def test_sounds_join_the_pack_once(pack: Path, tmp_path: Path) -> None:
    packages = unpacked(
        tmp_path / "packages",
        "scratch/Media/Human/Laugh-male1.wav",
        "scratch/Media/Human/Cough-male.wav",
        "scratch/Media/Human/FingerSnap.wav",
        "hedgewars-data/Sounds/voices/Pirate/Laugh.ogg.wav",
        "other/Sounds/voices/Pirate/Laugh.ogg",
    )
    (packages / "hedgewars-data/Sounds/voices/Pirate/Laugh.ogg.wav").rename(
        packages / "hedgewars-data/Sounds/voices/Pirate/Laugh.ogg"
    )
    (packages / "hedgewars-data/Sounds/voices/Pirate/PoisonCough.ogg").write_text("no audio")
    for _ in range(2):
        assert add_sounds(packages, pack) == 3
    with (pack / "MANIFEST.csv").open(newline="") as file:
        rows = {row["path"]: (row["kind"], row["speaker"]) for row in csv.DictReader(file)}
    assert rows == {
        "sounds/hedgewars-data_Pirate_Laugh.wav": ("laughter", "hedgewars-data:Pirate"),
        "sounds/scratch_Laugh-male1.wav": ("laughter", "scratch:Laugh-male1"),
        "sounds/scratch_Cough-male.wav": ("sound", "scratch:Cough-male"),
    }
    assert [example.laughs for example in read_laughter_pack(pack, ["sounds/*"], {})].count(True) == 2


def test_what_is_missing_is_named(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no MANIFEST\.csv"):
        add_sounds(tmp_path, tmp_path)
    with pytest.raises(UsageError, match="no folder with the name of one of these packages: hedgewars-data"):
        add_sounds(tmp_path, pack)
