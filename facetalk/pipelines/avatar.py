"""The user's own character, looked at before any long work: what fits, and which formats can show it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.exporters.registry import FORMATS, check_avatar_formats
from facetalk.io.gltf import is_compressed
from facetalk.motion.avatar import read_avatar
from facetalk.motion.avatar_report import AvatarReport

_log = logging.getLogger(__name__)


def examine_avatar(path: Path | str) -> AvatarReport:
    """Which parts of a performance a character can show, and which of its shapes and bones move.

    Args:
        path: `.glb`, `.gltf` or `.vrm` file.

    Raises:
        FacetalkError: the file is damaged, or nothing in it moves a mouth; the message lists what was found.
    """
    return read_avatar(path).report


def avatar_formats(path: Path | str, formats: Sequence[str]) -> tuple[list[str], AvatarReport]:
    """The formats that can be written for a character, and what of a performance they will show.

    A video needs geometry that can be read. Of several formats, the video of a compressed character is left out with a
    warning; on its own it is an error.

    Args:
        path: `.glb`, `.gltf` or `.vrm` file.
        formats: names of the registry.

    Raises:
        UsageError: a format shows the head only, or none shows anybody.
        FacetalkError: see `examine_avatar`; or only a video is wanted, and cannot be drawn.
    """
    check_avatar_formats(formats)
    if not any(FORMATS[name].avatar_module for name in formats):
        able = [name for name, entry in FORMATS.items() if entry.avatar_module]
        raise UsageError(f"{', '.join(formats)} files show nobody; an avatar is shown by: {', '.join(able)}")
    avatar = read_avatar(path)
    _log.log(logging.WARNING if avatar.report.is_partial else logging.INFO, "%s", avatar.report.summary())
    if "mp4" not in formats or not is_compressed(avatar.file):
        return list(formats), avatar.report
    reason = f"{path} is compressed, and is not decoded here, so there is no video of it"
    if list(formats) == ["mp4"]:
        raise FacetalkError(f"{reason}; export a .glb, or save the character without compression")
    _log.warning("%s; save it without compression for one", reason)
    return [name for name in formats if name != "mp4"], avatar.report
