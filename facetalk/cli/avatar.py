"""`facetalk avatar`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.options import JsonFlag
from facetalk.cli.output import print_json, print_table


def avatar(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Your character: a .glb, .gltf or .vrm file.")],
    as_json: JsonFlag = False,
) -> None:
    """Report which shapes and bones of a character move, and what of a performance it cannot show."""
    from facetalk.pipelines.avatar import examine_avatar

    report = examine_avatar(path)
    if as_json:
        print_json(report.document())
        return
    rows = [(channel, ", ".join(shapes)) for channel, shapes in report.channels.items()]
    rows += [(f"rotation of {role.replace('_', ' ')}", ", ".join(names)) for role, names in report.bones.items()]
    rows += [(name, "missing") for name in report.missing]
    rows += [(part, "lost") for part in report.lost]
    print_table(("part", "moved by"), [("mouth", report.mouth), ("eyes", report.eyes), *rows])
