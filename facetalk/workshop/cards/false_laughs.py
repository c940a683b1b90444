"""`python -m facetalk.workshop.cards.false_laughs PACK`: false laughs in speech, for the laughter detector's card.

PACK is a recording pack (`facetalk/data/laughter.py`). Every recording in which nobody laughs is listened to by the
rules by which a face laughs. Those that the detector was trained on are counted apart, and so is each acted emotion.
The figures are printed as JSON.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.laughter import PACK_MANIFEST
from facetalk.data.patterns import matches_any
from facetalk.io.audio import read_waveform
from facetalk.networks.registry import load
from facetalk.recipes.laughter import RECIPE, LaughterTrainingConfig
from facetalk.recipes.registry import read_training_config
from facetalk.talkers.laughs import laughs_in

ACTED = "emotional_speech"
"""Kind of recordings whose emotion is acted."""
HEARD = ("speech", "video", "robust_video", ACTED)
"""Kinds of recordings that are listened to."""

Figures = dict[str, float | list[str]]


def group_of(row: Mapping[str, str], config: LaughterTrainingConfig) -> str:
    """How a recording is counted: whether it was trained on, and what it is."""
    trained = matches_any(row["path"], config.data.patterns) and not matches_any(row["speaker"], config.data.held_out)
    what = row["kind"] if row["kind"] != ACTED else f"{row['path'].split('/')[1]} {row['label']}"
    return f"{'trained on' if trained else 'not trained on'}: {what}"


def false_laughs(pack_dir: Path, config: LaughterTrainingConfig) -> dict[str, Figures]:
    """Recordings, minutes, false laughs and where they are, of each group and together."""
    detector = load("laughter-detector")
    with (pack_dir / PACK_MANIFEST).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["has_audio"] == "1" and row["kind"] in HEARD]
    groups: dict[str, list[tuple[float, list[str]]]] = defaultdict(list)
    for row in rows:
        waveform = read_waveform(pack_dir / row["path"])
        found = [f"{row['path']} {laugh.start:.1f}-{laugh.end:.1f} s" for laugh in laughs_in(detector, waveform)]
        group = group_of(row, config)
        for name in (group, f"{group.partition(':')[0]}: all"):
            groups[name].append((len(waveform) / SAMPLE_RATE / 60, found))
    return {name: _figures(parts) for name, parts in sorted(groups.items())}


def _figures(parts: list[tuple[float, list[str]]]) -> Figures:
    found = [place for _, places in parts for place in places]
    minutes = sum(length for length, _ in parts)
    return {
        "recordings": len(parts),
        "minutes": round(minutes, 2),
        "false_laughs": len(found),
        "per_minute": round(len(found) / minutes, 3),
        "where": found,
    }


def main(pack_dir: str) -> None:
    """Print the figures."""
    options = {key: value for key, value in read_training_config("laughter").items() if key != "method"}
    json.dump(false_laughs(Path(pack_dir), RECIPE.read_config(options)), sys.stdout, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
