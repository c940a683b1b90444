"""Videos, motion files, names and mixtures of them -> style codes; saved styles."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, check_values
from facetalk.core.progress import Progress, no_progress
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.importers.registry import SUFFIXES, import_motion
from facetalk.io.path_list import as_path
from facetalk.io.styles import SUFFIX, SavedStyle, remove_style, style_path, styles_dir, write_style
from facetalk.motion.heads import load_head
from facetalk.talkers.base import Talker, check_strength, unsupported
from facetalk.talkers.registry import load_talker, talker_folder
from facetalk.talkers.styles import (
    StyledTalker,
    StyleEntry,
    bundled_styles,
    mix_styles,
    parse_mixture,
    saved_style,
    strengthened,
    style_entries,
    style_named,
)

DEFAULT_HEAD = "facetalk"
"""The head with ARKit's channels that videos are fitted with where the wanted head has others."""


def resolve_style(
    reference: str | Path | Motion,
    talker: Talker,
    *,
    head: HeadModel | None = None,
    progress: Progress = no_progress,
) -> Float[Tensor, " style"]:
    """Return the style code that a user means.

    Args:
        reference: a video, a motion file, a style file, the name of a saved or bundled style, or a mixture
            `A:0.4,B:0.6` of these; or a motion.
        talker: encodes the references.
        head: fits videos; the bundled one if omitted.
        progress: called while a video is fitted.

    Raises:
        UsageError: the talker has no styles, or the mixture is malformed.
        FacetalkError: a part is neither a file nor the name of a style.
    """
    styled = _styled(talker)
    if isinstance(reference, Motion):
        return styled.encode_style(_with_arkit(reference, head))
    parts = [(str(reference), 1.0)] if as_path(reference, "a style").exists() else parse_mixture(str(reference))
    codes = [_resolve_part(part, styled, head, progress) for part, _ in parts]
    return mix_styles(codes, [weight for _, weight in parts])


def check_style(reference: str | Path, talker: Talker) -> None:
    """Refuse a style that the talker cannot have, or that does not exist, before any long work; see `resolve_style`."""
    styled = _styled(talker)
    if as_path(reference, "a style").exists():
        return
    for part, _ in parse_mixture(str(reference)):
        if Path(part).suffix != SUFFIX and not Path(part).is_file():
            style_named(part, styled)


def read_style(path: Path, head: HeadModel | None = None, progress: Progress = no_progress) -> Motion:
    """Read a reference motion with the ARKit channels from a motion file, or fit it to a video.

    Args:
        path: a motion file, a file of another program that `import_motion` reads, or a video.
        head: fits the video; the bundled one if omitted or if it lacks the ARKit channels.
        progress: called while a video is fitted.
    """
    if path.suffix.lower() in SUFFIXES:
        motion = import_motion(path)
    else:
        from facetalk.pipelines.fit import fit

        own = head if head is not None and head.shape.is_arkit else DEFAULT_HEAD
        motion = fit(path, head=own, progress=progress)
    return _with_arkit(motion, head)


def _with_arkit(motion: Motion, head: HeadModel | None) -> Motion:
    check_values(motion)
    if motion.expression_names == ARKIT_NAMES:
        return motion
    from facetalk.motion.retarget import to_arkit

    return to_arkit(motion, head if head is not None and motion.head == head.name else None)


def list_styles(talker: str = "styletalk") -> list[StyleEntry]:
    """List the styles that can be used by name: bundled ones, then the user's own.

    Args:
        talker: a bundled talker, or a folder that `facetalk train` wrote.
    """
    return style_entries(bundled_styles(talker_folder(talker)))


def save_style(
    reference: str | Path | Motion,
    target: str | Path,
    *,
    talker: str = "styletalk",
    strength: float = 1.0,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Save the style of a reference to a file, or under a name in the user's folder of styles.

    Args:
        reference: see `resolve_style`.
        target: a name, or a path that ends in `.safetensors`.
        talker: a bundled talker, or a folder that `facetalk train` wrote.
        strength: how far to go from the neutral style: 0 not at all, 1 all the way, at most 1.5.
        overwrite: replace a style of this name.
        progress: called while a video is fitted.

    Returns:
        The path of the style file.

    Raises:
        UsageError: the name is that of a bundled style, or cannot be one.
        FacetalkError: there is a style of this name already, or no such reference.

    Example:
        >>> save_style("host.mp4:0.8,happy:0.2", "host")
        >>> animate("speech.wav", style="host")
    """
    check_strength(strength)
    if Path(target).suffix not in ("", SUFFIX) and Path(target).is_file():
        raise UsageError(f"{target} is a file, not a name for a style; the reference comes first, then the name")
    source = (reference.source or "a motion") if isinstance(reference, Motion) else str(reference)
    path = Path(target) if str(target).endswith(SUFFIX) else style_path(str(target))
    taken = {entry.name for entry in list_styles(talker) if entry.kind == "bundled"}
    if str(target) in taken:
        raise UsageError(f"{target!r} is the name of a bundled style; choose another")
    if path.exists() and not overwrite:  # before a video is fitted for it
        raise FacetalkError(f"{path} exists already; choose another name or --overwrite")
    styled = _styled(load_talker(talker))
    code = resolve_style(reference, styled, head=load_head(DEFAULT_HEAD), progress=progress)
    code = strengthened(code, styled.neutral_style, strength)
    write_style(path, SavedStyle(code, styled.fingerprint(), source), overwrite)
    return path


def _resolve_part(
    part: str, talker: StyledTalker, head: HeadModel | None, progress: Progress
) -> Float[Tensor, " style"]:
    path = Path(part)
    if path.suffix == SUFFIX:
        return saved_style(path, talker)
    if path.is_file():
        return talker.encode_style(read_style(path, head, progress))
    return style_named(part, talker)


def _styled(talker: Talker) -> StyledTalker:
    if not isinstance(talker, StyledTalker):
        raise unsupported(talker.name, "style", talker.supported)
    return talker


__all__ = [
    "StyleEntry",
    "list_styles",
    "read_style",
    "remove_style",
    "resolve_style",
    "save_style",
    "styles_dir",
]
