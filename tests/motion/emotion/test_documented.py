"""The table in the documentation is the shipped one."""

from __future__ import annotations

import re

import pytest

from facetalk.core.emotions import EMOTIONS
from facetalk.data.manifest import read_rows
from facetalk.motion.emotion.amounts import AMOUNTS_PATH
from tests.documentation.blocks import ROOT


@pytest.mark.parametrize("emotion", EMOTIONS[1:])
def test_the_documentation_states_the_amounts_of_the_table(emotion: str) -> None:
    lines = (ROOT / "docs/emotion.md").read_text("utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| {emotion} |")]
    up, down = (re.findall(r"`(\w+)`(?: ([\d.]+))?", cell) for cell in row.split("|")[2:4])
    stated = {name: float(amount) for name, amount in up} | {name: -float(amount or 0) for name, amount in down}
    shipped = {row["channel"]: float(row["level3"]) for row in read_rows(AMOUNTS_PATH) if row["emotion"] == emotion}
    assert stated == pytest.approx(shipped, abs=0.005)
