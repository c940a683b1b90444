"""Names, videos, motions and mixtures of them -> style codes; saved and bundled styles."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion
from facetalk.io.styles import (
    SUFFIX,
    SavedStyle,
    read_style_file,
    remove_style,
    saved_names,
    style_path,
    styles_dir,
    write_style,
)
from facetalk.io.weights import read_tensors, weights_dir
from facetalk.motion.heads import load_head
from facetalk.networks.styletalk import Talker
from facetalk.talkers.registry import TALKERS, load_talker
from facetalk.talkers.style_mixing import mix_styles, parse_mixture, strengthened

TALKERS_HEAD = "facetalk"
"""The head whose channels talkers move, where the wanted head has others."""

BUNDLED_FILE = "styles.safetensors"
"""In the folder of a released talker: one code for each bundled style."""


@dataclass(frozen=True)
class StyleEntry:
    """A style in a list."""

    name: str
    kind: str
    """`bundled` or `saved`."""
    source: str


def resolve_style(
    text: str | Path,
    talker: Talker,
    *,
    talker_name: str = "styletalk",
    head: HeadModel | None = None,
    strength: float = 1.0,
    progress: Progress = no_progress,
) -> Float[Tensor, " style"]:
    """The style code that a user means.

    Args:
        text: a video, a motion file, a saved style's file, the name of a saved or bundled style, or a mixture
            `A:0.4,B:0.6` of these.
        talker: reads the references.
        talker_name: what it is called; decides which bundled styles there are.
        head: fits videos; the bundled one if not given.
        strength: how far to go from the neutral style.
        progress: told how far the fit of a video is.
    """
    parts = [(str(text), 1.0)] if Path(text).exists() else parse_mixture(str(text))
    codes = [_resolve_one(name, talker, talker_name, head, progress) for name, _ in parts]
    mixed = mix_styles(codes, [weight for _, weight in parts]) if len(parts) > 1 else codes[0]
    return strengthened(mixed, talker.neutral_style, strength)


def _resolve_one(
    name: str, talker: Talker, talker_name: str, head: HeadModel | None, progress: Progress
) -> Float[Tensor, " style"]:
    path = Path(name)
    if path.suffix == SUFFIX:
        return _checked(read_style_file(path), talker, name)
    if path.is_file():
        return talker.encode_style(read_style(path, head, progress))
    if name in saved_names():
        return _checked(read_style_file(style_path(name)), talker, name)
    if name == "neutral":
        return talker.neutral_style
    bundled = bundled_styles(talker_name)
    if name in bundled:
        return bundled[name].to(talker.neutral_style)
    known = ", ".join(entry.name for entry in list_styles(talker_name))
    raise FacetalkError(f"no such style reference: {name}; it is neither a file nor one of the styles {known}")


def read_style(path: Path, head: HeadModel | None = None, progress: Progress = no_progress) -> Motion:
    """The performance in a motion file or in a video."""
    if path.suffix == ".npz":
        motion = read_motion(path)
    else:
        from facetalk.pipelines.fit import fit

        own = head if head is not None and head.shape.is_arkit else TALKERS_HEAD
        motion = fit(path, head=own, progress=progress)
    if motion.expression_names != ARKIT_NAMES:
        from facetalk.motion.retarget import to_arkit

        motion = to_arkit(motion, head if head is not None and motion.head == head.name else None)
    return motion


def bundled_styles(talker_name: str = "styletalk") -> dict[str, Float[Tensor, " style"]]:
    """The named styles that come with a released talker."""
    folder = weights_dir() / TALKERS[talker_name] if talker_name in TALKERS else Path(talker_name)
    path = folder / BUNDLED_FILE
    return {name: code.float() for name, code in read_tensors(path)[0].items()} if path.is_file() else {}


def list_styles(talker_name: str = "styletalk") -> list[StyleEntry]:
    """The styles that can be named: bundled ones, then the user's own."""
    entries = [StyleEntry("neutral", "bundled", "mean over the talker's training clips without a named mood")]
    entries += [
        StyleEntry(name, "bundled", "mean over several speakers") for name in sorted(bundled_styles(talker_name))
    ]
    return entries + [StyleEntry(n, "saved", read_style_file(style_path(n)).source) for n in saved_names()]


def save_style(
    reference: str,
    target: str | Path,
    *,
    talker: str = "styletalk",
    strength: float = 1.0,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Write the style of a reference to a file, or under a name to the user's folder of styles.

    Args:
        reference: see `resolve_style`.
        target: a name, or a path that ends in `.safetensors`.
        talker: a released talker, or a folder of trained weights.
        strength: see `resolve_style`.
        overwrite: replace a style of this name.
        progress: see `resolve_style`.
    """
    path = Path(target) if str(target).endswith(SUFFIX) else style_path(str(target))
    taken = {entry.name for entry in list_styles(talker) if entry.kind == "bundled"}
    if str(target) in taken:
        raise UsageError(f"{target!r} is the name of a bundled style; choose another")
    if path.exists() and not overwrite:  # before a video is fitted for it
        raise FacetalkError(f"{path} exists already; choose another name or --overwrite")
    model = load_talker(talker)
    code = resolve_style(
        reference, model, talker_name=talker, head=load_head(TALKERS_HEAD), strength=strength, progress=progress
    )
    write_style(path, SavedStyle(code, fingerprint(model), str(reference)), overwrite)
    return path


def fingerprint(talker: Talker) -> str:
    """What tells talkers apart whose style codes mean different things."""
    digest = hashlib.sha256()
    for name, value in sorted(talker.style_encoder.state_dict().items()):
        digest.update(name.encode() + value.half().numpy().tobytes())
    return digest.hexdigest()[:16]


def _checked(style: SavedStyle, talker: Talker, name: str) -> Float[Tensor, " style"]:
    if style.talker != fingerprint(talker) or len(style.code) != len(talker.neutral_style):
        raise FacetalkError(f"the style {name} was saved for another talker; save it again from {style.source}")
    return style.code


__all__ = [
    "StyleEntry",
    "bundled_styles",
    "list_styles",
    "read_style",
    "remove_style",
    "resolve_style",
    "save_style",
    "styles_dir",
]
