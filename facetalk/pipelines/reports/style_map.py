"""A map of styles: which manners are alike, as a picture and as a page that can be explored."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.progress import Progress, no_progress
from facetalk.data.manifest import MANIFEST, Clip, read_manifest
from facetalk.io.files import replacing
from facetalk.metrics.neighbours import tsne
from facetalk.pipelines.styles import read_style
from facetalk.recipes.evaluation.styles import comparable
from facetalk.talkers.registry import load_talker
from facetalk.talkers.styletalk import StyleTalk
from facetalk.vision.scatter import draw_scatter, group_colors

GROUPS = ("speaker", "emotion")


@dataclass(frozen=True)
class StyleMap:
    """Where each style lies, and the files that show it."""

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
    """Draw a t-SNE map of the style codes of clips: `OUT.png`, and `OUT.html` beside it.

    Args:
        references: videos and motion files; of a dataset folder all clips, with speakers and emotions of its manifest.
        out_path: the picture; the page gets the same name.
        by: `speaker` or `emotion`: what the picture's colours mean. The page can switch.
        talker: reads the styles.
        overwrite: replace existing files.
        progress: told the number of references read.
    """
    if by not in GROUPS:
        raise UsageError(f"styles can be coloured by {' or '.join(GROUPS)}, not by {by!r}")
    if out_path.suffix.lower() != ".png":
        raise UsageError(f"a map is a PNG picture; {out_path} does not end in .png")
    page = out_path.with_suffix(".html")
    there = [path for path in (out_path, page) if path.exists() and not overwrite]
    if there:
        raise FacetalkError(f"{there[0]} exists already; choose another name or --overwrite")
    clips = [clip for reference in references for clip in _clips(Path(reference))]
    if len(clips) < 3:
        raise UsageError(f"a map needs three references at least, found {len(clips)}")
    model = load_talker(talker)
    if not isinstance(model, StyleTalk):
        raise UsageError(f"the talker {talker} has no style codes to compare")
    codes = []
    for clip in clips:
        codes.append(model.encode_style(read_style(_file_of(clip))))
        progress("reading styles", len(codes), len(clips))
    places = tsne(comparable(model.generator, torch.stack(codes)))
    groups = {"speaker": [clip.speaker for clip in clips], "emotion": [clip.label for clip in clips]}
    with replacing(out_path) as temporary:
        draw_scatter(places.numpy(), groups[by], f"styles by {by}").save(temporary, format="PNG")
    names = [clip.name for clip in clips]
    with replacing(page) as temporary:
        temporary.write_text(_page(names, groups, places.tolist(), by), encoding="utf-8")
    return StyleMap(out_path, page, names, [(x, y) for x, y in places.tolist()])


def _clips(reference: Path) -> list[Clip]:
    if (reference / MANIFEST).is_file():
        return list(read_manifest(reference))
    if not reference.is_file():
        raise FacetalkError(f"no such reference: {reference}; give videos, motion files or a dataset folder")
    return [Clip(reference.parent, reference.name, speaker=reference.stem)]


def _file_of(clip: Clip) -> Path:
    given = clip.folder / clip.name
    return given if given.suffix else clip.motion_path


def _page(names: Sequence[str], groups: dict[str, list[str]], places: list[list[float]], by: str) -> str:
    """A page that needs nothing else: dots with names, colours that can be switched, a legend that highlights."""
    colours = {
        name: {group: "rgb({},{},{})".format(*colour) for group, colour in group_colors(members).items()}
        for name, members in groups.items()
    }
    data = {"names": names, "groups": groups, "places": places, "colours": colours, "by": by}
    text = json.dumps(data).replace("</", "<\\/")
    return _PAGE.replace("DATA", text).replace("TITLE", html.escape(f"{len(names)} styles"))


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title><style>
body { font: 14px system-ui, sans-serif; margin: 1em; color: #282a2e; background: #fafaf8 }
main { display: flex; gap: 1em } svg { width: 70vmin; height: 70vmin; flex: none; overflow: visible }
circle { stroke: #fafaf8; stroke-width: .2; cursor: pointer } circle.dim { opacity: .08 }
li { list-style: none; cursor: pointer } ul { margin: 0; padding: 0; max-height: 70vmin; overflow: auto }
i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .5em }
#said { height: 1.5em }
</style></head><body><h1>TITLE</h1>
<p>Colour by <select id="by"></select> <span id="said"></span></p>
<main><svg viewBox="0 0 100 100"></svg><ul></ul></main><script>
const data = DATA;
const svg = document.querySelector("svg"), list = document.querySelector("ul"), choice = document.querySelector("#by");
const xs = data.places.map(p => p[0]), ys = data.places.map(p => p[1]);
const low = [Math.min(...xs), Math.min(...ys)];
const span = Math.max(Math.max(...xs) - low[0], Math.max(...ys) - low[1]) || 1;
const dots = data.places.map((p, i) => {
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  dot.setAttribute("cx", 2 + 96 * (p[0] - low[0]) / span);
  dot.setAttribute("cy", 98 - 96 * (p[1] - low[1]) / span);
  dot.setAttribute("r", 1);
  const about = [data.names[i], data.groups.speaker[i], data.groups.emotion[i]].filter(Boolean).join(" \\u00b7 ");
  dot.onmouseenter = () => document.querySelector("#said").textContent = about;
  dot.innerHTML = "<title></title>";
  dot.firstChild.textContent = about;
  return svg.appendChild(dot);
});
for (const name of Object.keys(data.groups)) choice.add(new Option(name, name, false, name === data.by));
let lit = null;
function paint() {
  const groups = data.groups[choice.value], colours = data.colours[choice.value];
  dots.forEach((dot, i) => {
    dot.setAttribute("fill", colours[groups[i]]);
    dot.classList.toggle("dim", lit !== null && groups[i] !== lit);
  });
  list.replaceChildren(...Object.keys(colours).sort().map(name => {
    const row = document.createElement("li"), mark = document.createElement("i");
    mark.style.background = colours[name];
    row.append(mark, name || "unnamed");
    row.onclick = () => { lit = lit === name ? null : name; paint(); };
    return row;
  }));
}
choice.onchange = () => { lit = null; paint(); };
paint();
</script></body></html>
"""
