"""Heads of other publishers: FLAME, ICT-FaceKit and GNM, completed with annotations of the bundled head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head import annotations, color_transfer, registration
from facetalk.head.annotations import Annotations, transfer_annotations
from facetalk.head.assets import HeadAssets
from facetalk.head.bare_mesh import BareMesh
from facetalk.head.flame import bare_flame, flame_assets
from facetalk.head.gnm import bare_gnm, gnm_assets
from facetalk.head.ict import drawn_head, ict_assets
from facetalk.io.cache import arrays_in, cached_arrays
from facetalk.io.files import file_checksum
from facetalk.io.flame import find_flame, read_flame, read_flame_extras
from facetalk.io.gnm import find_gnm, read_gnm
from facetalk.io.ict import NEUTRAL, find_ict, read_ict

KINDS = ("flame", "ict", "gnm")
"""Kinds of published heads, as in `--head KIND:PATH`."""


def complete_head(kind: str, path: Path, reference: HeadAssets, name: str | None = None) -> HeadAssets:
    """Read a published head and add what its files lack: points, regions, colors.

    Args:
        kind: one of `KINDS`.
        path: the user's file or folder.
        reference: head from which the missing annotations are transferred.
        name: name by which motions refer to it; None for `KIND:` and the file's name.
    """
    if kind not in _READERS:
        raise UsageError(f"unknown kind of head {kind!r}; known: {', '.join(KINDS)}")
    try:
        assets = _READERS[kind](path, reference, name)
    except (ValueError, ArithmeticError, LookupError, RuntimeError, np.linalg.LinAlgError) as error:
        # The file's arrays have the right shapes, and their numbers are no head.
        reason = " ".join(str(error).split())[:150]
        raise FacetalkError(f"{path} does not hold a head that can be used ({reason}); fetch it again") from None
    shape = assets.shape
    for part in (shape.template, shape.joints, shape.identity_dirs, shape.expression_dirs, shape.skin_weights):
        if not bool(torch.isfinite(part).all()):
            raise FacetalkError(f"{path} does not hold a head that can be used: its shapes are not finite")
    return assets


def cached_annotations(head: BareMesh, reference: HeadAssets) -> Annotations:
    """Return `transfer_annotations`, cached on disk by mesh and reference."""

    def make() -> dict[str, np.ndarray]:
        made = transfer_annotations(head, reference)
        values = {key: value for key, value in vars(made).items() if key != "regions"}
        return values | {f"region.{key}": members for key, members in made.regions.items()}

    parts = (*arrays_in(head), *arrays_in(reference))
    values = cached_arrays("annotations", parts, make, code=(annotations, color_transfer, registration))
    regions = {key[len("region.") :]: value for key, value in values.items() if key.startswith("region.")}
    return Annotations(**{key: value for key, value in values.items() if "." not in key}, regions=regions)


def _flame(path: Path, reference: HeadAssets, name: str | None) -> HeadAssets:
    path = find_flame(path)
    arrays = read_flame(path)
    extras = read_flame_extras(path.parent, len(arrays.faces), len(arrays.template))
    meta = {"model": "FLAME", "file": path.name, "sha256": file_checksum(path), "license": "see the file's publisher"}
    if extras.mediapipe_ids is not None:
        meta["published_points"] = extras.mediapipe_ids.tolist()  # these are not calibrated
    transferred = cached_annotations(bare_flame(arrays), reference)
    return flame_assets(name or f"flame:{path.stem}", arrays, transferred, extras, meta)


def _ict(path: Path, reference: HeadAssets, name: str | None) -> HeadAssets:
    path = find_ict(path)
    head = drawn_head(read_ict(path))
    checksum = file_checksum(path / NEUTRAL if path.is_dir() else path)
    meta = {"model": "ICT-FaceKit Light", "file": path.name, "sha256": checksum, "license": "MIT (USC ICT)"}
    return ict_assets(name or f"ict:{path.stem}", head, cached_annotations(head.bare, reference), meta)


def _gnm(path: Path, reference: HeadAssets, name: str | None) -> HeadAssets:
    path = find_gnm(path)
    arrays = read_gnm(path)
    meta = {"model": "GNM Head v3", "file": path.name, "sha256": file_checksum(path), "license": "Apache-2.0 (Google)"}
    transferred = cached_annotations(bare_gnm(arrays), reference)
    return gnm_assets(name or f"gnm:{path.stem}", arrays, transferred, meta)


_READERS = {"flame": _flame, "ict": _ict, "gnm": _gnm}
