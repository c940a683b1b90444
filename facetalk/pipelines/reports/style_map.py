"""A t-SNE map of speaking styles, as an image and as a page to explore."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.progress import Progress, no_progress
from facetalk.data.manifest import MANIFEST, Clip, read_manifest
from facetalk.data.sources import VIDEO_SUFFIXES, find_media
from facetalk.io.files import make_folder, replacing
from facetalk.metrics.tsne import tsne
from facetalk.pipelines.reports.html import document
from facetalk.pipelines.styles import read_style
from facetalk.recipes.evaluation.styles import comparable
from facetalk.talkers.registry import load_talker
from facetalk.talkers.styletalk import StyleTalk
from facetalk.vision.scatter import draw_scatter, group_colors

GROUPS = ("speaker", "emotion")


@dataclass(frozen=True)
class StyleMap:
    """Positions of styles on a map, and the files that show it."""

    picture: Path
    page: Path
    names: Sequence[str]
    places: Sequence[tuple[float, float]]


def plot_styles(
    references: Sequence[Path],
    out_path: Path,
    *,
    by: str = "speaker",
    talker: str = "styletalk",
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> StyleMap:
    """Draw a t-SNE map of the style codes of clips: `OUT.png`, and `OUT.html` next to it.

    Args:
        references: videos, motion files, and folders of these; for a dataset folder all clips, with the speakers and
            emotions of its manifest.
        out_path: the image; the page gets the same name.
        by: `speaker` or `emotion`: the groups with colors in the image. The page can switch.
        talker: the talker whose style encoder is used.
        overwrite: replace existing files.
        progress: called with the number of references read.
    """
    if by not in GROUPS:
        raise UsageError(f"styles can be colored by {' or '.join(GROUPS)}, not by {by!r}")
    if out_path.suffix.lower() != ".png":
        raise UsageError(f"a map is a PNG image; {out_path} does not end in .png")
    page = out_path.with_suffix(".html")
    existing = [path for path in (out_path, page) if path.exists() and not overwrite]
    if existing:
        raise FacetalkError(f"{existing[0]} exists already; choose another name or --overwrite")
    clips = [clip for reference in references for clip in _clips(Path(reference))]
    if len(clips) < 3:
        raise UsageError(f"a map needs at least three references, found {len(clips)}")
    make_folder(out_path.parent)
    places = _places(clips, talker, progress)
    names = [clip.name for clip in clips]
    groups = {"speaker": [clip.speaker for clip in clips], "emotion": [clip.label for clip in clips]}
    with replacing(out_path) as temporary:
        draw_scatter(places.numpy(), groups[by], f"styles by {by}").save(temporary, format="PNG")
    with replacing(page) as temporary:
        temporary.write_text(_page(names, groups, places.tolist(), by), encoding="utf-8", errors="replace")
    return StyleMap(out_path, page, names, [(x, y) for x, y in places.tolist()])


def _places(clips: Sequence[Clip], talker: str, progress: Progress) -> torch.Tensor:
    """Positions of the clips' style codes on the map."""
    model = load_talker(talker)
    if not isinstance(model, StyleTalk):
        raise UsageError(f"the talker {talker} has no style codes to compare")
    codes = []
    for clip in clips:
        codes.append(model.encode_style(read_style(_file_of(clip))))
        progress("reading styles", len(codes), len(clips))
    return tsne(comparable(model.generator, torch.stack(codes)))


def _clips(reference: Path) -> list[Clip]:
    if (reference / MANIFEST).is_file():
        return list(read_manifest(reference))
    if reference.is_dir():
        found = find_media([reference], (".npz", *VIDEO_SUFFIXES), "motion or video")
        return [clip for path in found for clip in _clips(path)]
    if not reference.is_file():
        raise FacetalkError(f"no such reference: {reference}; give videos, motion files or a folder of these")
    return [Clip(reference.parent, reference.name, speaker=reference.stem)]


def _file_of(clip: Clip) -> Path:
    given = clip.folder / clip.name
    return given if given.suffix else clip.motion_path


def _page(names: Sequence[str], groups: Mapping[str, Sequence[str]], places: Sequence[Sequence[float]], by: str) -> str:
    """A page with a point for each style, colors that can be switched, and a legend that highlights."""
    colors = {
        name: {group: "rgb({},{},{})".format(*color) for group, color in group_colors(members).items()}
        for name, members in groups.items()
    }
    title = f"{len(names)} styles"
    body = (
        f"<h1>{html.escape(title)}</h1>"
        '<p>Color by <select id="by"></select> <span id="detail"></span></p>'
        '<main><svg viewBox="0 0 100 100"></svg><ul></ul></main>'
    )
    data = {"names": names, "groups": groups, "places": places, "colors": colors, "by": by}
    return document(title, body, "style_map", data)
