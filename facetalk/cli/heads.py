"""`facetalk heads`."""

from __future__ import annotations

from facetalk.cli.output import JsonFlag, print_json, print_table


def heads(as_json: JsonFlag = False) -> None:
    """List the head models."""
    from facetalk.pipelines.assets import list_heads

    found = list_heads()
    if as_json:
        print_json([head._asdict() for head in found])
    else:
        columns = ("name", "vertices", "faces", "channels", "identities", "licence")
        rows = [(h.name, h.num_vertices, h.num_faces, h.num_channels, h.num_betas, h.licence) for h in found]
        print_table(columns, rows)
