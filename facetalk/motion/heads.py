"""Heads by name: the bundled one, installed ones, and those read from a user's own file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from facetalk.core.errors import UsageError
from facetalk.head.assets import HeadAssets
from facetalk.head.looks import Look, with_look
from facetalk.head.model import HeadModel
from facetalk.io.head_folder import read_head_folder, read_identity_names
from facetalk.io.weights import bundled

BUNDLED_HEADS = {"facetalk": "facetalk-head"}
"""Names of the bundled heads, and the weights folder of each."""


def load_head(name: str = "facetalk", look: Look | None = None) -> HeadModel:
    """Load a head by name, ready to be posed, fitted and retargeted.

    The MediaPipe points of a head from another publisher are calibrated before its first use, see `head_calibration`;
    the result is kept in the user's cache.

    Args:
        name: `facetalk` (the bundled head), the name of an installed head, or `flame:PATH`, `ict:PATH`, `gnm:PATH`.
        look: colors of skin, eyes and hair; None for the head's own.

    Raises:
        UsageError: no head has this name.
        MissingAssetError: the file of a published head is not there.
    """
    if name in BUNDLED_HEADS:
        return HeadModel(load_head_assets(name, look)).eval()
    from facetalk.motion.head_calibration import calibrated  # loads the renderer, which the bundled head does not need

    plain = calibrated(HeadModel(load_head_assets(name)).eval(), load_head())
    if look is None:
        return plain
    assets = load_head_assets(name, look)
    return HeadModel(replace(assets, points=replace(assets.points, mediapipe=plain.points.mediapipe))).eval()


def load_head_assets(name: str, look: Look | None = None) -> HeadAssets:
    """Load the arrays of a head, with its MediaPipe points not yet calibrated.

    Args:
        name: as for `load_head`.
        look: colors of skin, eyes and hair; heads of other publishers take theirs from the bundled head.
    """
    look = look or Look()
    if name in BUNDLED_HEADS:
        return with_look(read_head_folder(bundled(BUNDLED_HEADS[name])), look)
    from facetalk.io.installed import installed_heads  # only names that are not bundled need these
    from facetalk.motion.published_heads import KINDS

    installed = installed_heads()
    if name in installed:
        return load_published_head(installed[name].kind, installed[name].path, name, look)
    kind, separator, path = name.partition(":")
    if separator and kind in KINDS:
        # A motion names its head by kind and file name, which an installed copy of that file satisfies.
        same = [head for head in installed.values() if head.kind == kind and Path(head.file).stem == path]
        if same and not Path(path).expanduser().exists():
            return load_published_head(kind, same[0].path, name, look)
        return load_published_head(kind, Path(path).expanduser(), look=look)
    known = ", ".join([*BUNDLED_HEADS, *installed])
    raise UsageError(f"unknown head {name!r}; known heads: {known}, or flame:PATH, ict:PATH, gnm:PATH")


def load_published_head(kind: str, path: Path, name: str | None = None, look: Look | None = None) -> HeadAssets:
    """Load the arrays of another publisher's head, completed from the bundled head.

    Args:
        kind: `flame`, `ict` or `gnm`.
        path: its file or folder.
        name: name by which motions refer to it; None for the kind and the file's name.
        look: colors of the bundled head, from which this head's are taken.
    """
    from facetalk.motion.published_heads import complete_head

    return complete_head(kind, path, load_head_assets("facetalk", look), name)


def identity_names(name: str) -> tuple[str, ...]:
    """Names of a head's identity coefficients; for a bundled head without reading its arrays."""
    if name in BUNDLED_HEADS:
        return read_identity_names(bundled(BUNDLED_HEADS[name]))
    return load_head_assets(name).shape.identity_names
