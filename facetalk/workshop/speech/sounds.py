"""`python -m facetalk.workshop.speech.sounds PACKAGES PACK`: laughs, coughs and screams of open games for a pack.

PACKAGES is a folder with a subfolder for each of the Debian packages in `SOUNDS`, as `dpkg-deb -x` unpacks it; packages
that are missing are left out. The sounds are added to the recording pack PACK (`data/laughter.py`, `corpus.py`) as
`sounds/*.wav`, of the kinds `laughter` and `sound`. The speaker is the package and, where each voice has a folder, the
voice. Most of these sounds are played by actors, and some are altered; they are what a detector of laughter has to tell
from a shout.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.laughter import PACK_MANIFEST
from facetalk.io.audio import read_waveform, write_wav
from facetalk.io.files import replacing

FOLDER = "sounds"
LAUGH, OTHER = "laughter", "sound"


class Sounds(NamedTuple):
    """Some sounds of a package."""

    kind: str
    """In the pack's manifest."""
    pattern: str
    """Of their paths, with * and ?."""
    by_folder: bool = False
    """Whether each folder is another voice."""


SOUNDS: Mapping[str, Sequence[Sounds]] = {
    "hedgewars-data": (Sounds(LAUGH, "voices/*/Laugh.ogg", True), Sounds(OTHER, "voices/*/Poison*.ogg", True)),
    "ktuberling-data": (Sounds(LAUGH, "sounds/*/*-laugh.o*", True),),
    "redeclipse-data": (Sounds(LAUGH, "voice/haha*.ogg"), Sounds(OTHER, "player/pain*.ogg")),
    "monsterz-data": (Sounds(LAUGH, "sound/laugh.wav"),),
    "freedroid-data": (Sounds(OTHER, "Cry_Sound_*"),),
    "freedroidrpg-data": (Sounds(OTHER, "Influencer_Scream_*"),),
    "netpanzer-data": (Sounds(OTHER, "scream_*.wav"),),
    "scorched3d-data": (Sounds(OTHER, "scream*.wav"),),
    "scratch": tuple(
        Sounds(LAUGH if name == "Laugh" else OTHER, f"Human/{name}*")
        for name in ("Laugh", "BabyCry", "Cough", "Sneeze", "Scream")
    ),
    "wesnoth-1.16-data": (
        Sounds(LAUGH, "sounds/*-laugh.wav"),
        *(Sounds(OTHER, f"sounds/{who}-*-*.ogg") for who in ("human", "dwarf", "elf")),
        Sounds(OTHER, "sounds/groan.wav"),
    ),
    "trackballs-data": (Sounds(LAUGH, "sfx/*laugh.wav"),),
    "btanks-data": (Sounds(LAUGH, "sounds/laugh*.ogg"), Sounds(OTHER, "sounds/kamikaze-scream.ogg")),
    "tuxpaint-data": (Sounds(LAUGH, "sounds/giggle.wav"),),
    "crossfire-client": (Sounds(LAUGH, "sounds/Evil_Laugh.wav"),),
    "supertuxkart-data": (Sounds(OTHER, "*ilhelm*cream*"),),
    "hannah-data": (Sounds(OTHER, "scream.*"),),
    "wordwarvi-sound": (Sounds(OTHER, "fallingscreamhi.*"),),
    "freedink-data": (Sounds(OTHER, "wscream.*"),),
}
"""Debian packages with sounds of voices. Their licenses are the games', mostly GPL 2 or later."""


def add_sounds(packages: Path, pack: Path) -> int:
    """Add the sounds to a recording pack, replacing those of an earlier run; returns their number.

    Args:
        packages: a subfolder for each package.
        pack: with its manifest.

    Raises:
        UsageError: the pack has no manifest, or there is none of the packages.
    """
    manifest = pack / PACK_MANIFEST
    if not manifest.is_file():
        raise UsageError(f"{pack} is not a recording pack: it has no {PACK_MANIFEST}")
    present = [name for name in SOUNDS if (packages / name).is_dir()]
    if not present:
        raise UsageError(f"{packages} has no folder with the name of one of these packages: {', '.join(SOUNDS)}")
    with manifest.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    rows = [row for row in rows if not row[header.index("path")].startswith(f"{FOLDER}/")]
    (pack / FOLDER).mkdir(exist_ok=True)
    count = len(rows)
    for name in present:
        for sounds in SOUNDS[name]:
            for path in sorted((packages / name).rglob(sounds.pattern)):
                voice = path.parent.name if sounds.by_folder else path.stem
                stem = f"{voice}_{path.stem}" if sounds.by_folder else path.stem
                target = f"{FOLDER}/{name}_{stem}.wav"
                try:
                    write_wav(pack / target, read_waveform(path))
                except FacetalkError as error:
                    print(f"skipped: {error}", file=sys.stderr)
                    continue
                entries = {"path": target, "kind": sounds.kind, "speaker": f"{name}:{voice}", "has_audio": "1"}
                rows.append([entries.get(column, "") for column in header])
    with replacing(manifest) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return len(rows) - count


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m facetalk.workshop.speech.sounds PACKAGES PACK")
    print(add_sounds(Path(sys.argv[1]), Path(sys.argv[2])), "sounds")
