"""`python -m facetalk.workshop.cards.peers PACK [TALKER] [--table]`: other systems and ours on their videos.

PACK is a folder with these videos, for all of which a ground truth is known:

* `outputs/said_vocaset/SYSTEM_SENTENCE*.mp4`, VOCASET sentences with the ground truth as the system `GT`;
* `outputs/styletalk/demo.mp4`, made from the audio of `video/styletalk/reagan_clip1.mp4`;
* `outputs/spectre/*_grid.mp4`, SPECTRE's reconstruction on the left and the original on the right.

The result is one JSON document, or the tables of docs/results.md with `--table`. Everything is measured in finished
videos, see `facetalk/metrics/seen_mouths.py`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from facetalk.core.errors import FacetalkError
from facetalk.io.video import Region, VideoReader
from facetalk.io.video_writer import VideoWriter
from facetalk.metrics.seen_mouths import MouthAgreement, SeenFace, compare_mouths
from facetalk.pipelines.animate import AnimateOptions, animate_all
from facetalk.pipelines.evaluation.faces import see_face
from facetalk.pipelines.fit import fit
from facetalk.pipelines.render import render

Figures = dict[str, float | None]
"""Means of the fields of `MouthAgreement`, by name."""

OURS, SHUFFLED, STILL = "facetalk", "facetalk, audio of the other sentence", "still face"
GROUND_TRUTH = "GT"
_VOCASET = re.compile(r"(?P<system>.+?)_(?P<sentence>FaceTalk_\d+_\d+_TA-sentence\d+)")

COLUMNS = {
    "r mouth open": ("r_open", "%.2f"),
    "r mouth wide": ("r_wide", "%.2f"),
    "r open, aligned": ("r_open_aligned", "%.2f"),
    "lag": ("lag_s", "%.2f s"),
    "amplitude": ("gain_open", "%.2f"),
    "M-LMD": ("mlmd", "%.4f"),
}
"""Columns of a table: the figure and its format."""


def peer_figures(pack_dir: Path, talker: str = "styletalk") -> dict[str, dict[str, Figures]]:
    """Figures of each system by table: `vocaset` and `styletalk` are animated from audio, `spectre` is fitted to video.

    Args:
        pack_dir: see the module.
        talker: a bundled talker, or a folder that `facetalk train` wrote.
    """
    sentences = by_sentence((pack_dir / "outputs" / "said_vocaset").glob("*.mp4"))
    if len(sentences) < 2:
        raise FacetalkError(
            f"{pack_dir}/outputs/said_vocaset: {len(sentences)} sentences with ground truth, 2 are needed"
        )
    styletalk = pack_dir / "outputs" / "styletalk" / "demo.mp4"
    spoken = pack_dir / "video" / "styletalk" / "reagan_clip1.mp4"
    with TemporaryDirectory(prefix="facetalk-") as folder:
        truths = [videos[GROUND_TRUTH] for videos in sentences.values()]
        animated = _animated([*truths, spoken], talker, Path(folder))
        faces = {"StyleTalk": see_face(styletalk), OURS: see_face(animated[spoken])}
        figures = {
            "vocaset": _vocaset(sentences, animated),
            "styletalk": mean_figures([compared(see_face(spoken), faces)]),
        }
        grids = sorted((pack_dir / "outputs" / "spectre").glob("*_grid.mp4"))
        figures["spectre"] = mean_figures([_fitted(grid, Path(folder)) for grid in grids])
    return figures


def by_sentence(paths: Iterable[Path]) -> dict[str, dict[str, Path]]:
    """Group videos named `SYSTEM_SENTENCE...`: their paths by sentence and system, both in alphabetical order.

    Sentences without ground truth are omitted.
    """
    groups: dict[str, dict[str, Path]] = {}
    for path in sorted(paths):
        if (name := _VOCASET.match(path.name)) is not None:
            groups.setdefault(name["sentence"], {})[name["system"]] = path
    return {sentence: groups[sentence] for sentence in sorted(groups) if GROUND_TRUTH in groups[sentence]}


def compared(real: SeenFace, faces: Mapping[str, SeenFace]) -> dict[str, MouthAgreement]:
    """Compare each face, and one that does not move, with the real one."""
    mlmd = compare_mouths(real, real).mlmd_still
    still = MouthAgreement(
        r_open=0.0, r_wide=0.0, r_open_aligned=None, r_wide_aligned=None, gain_open=0.0, gain_wide=0.0, lag_s=None,
        mlmd=mlmd, mlmd_still=mlmd,
    )  # fmt: skip
    return {name: compare_mouths(real, face) for name, face in faces.items()} | {STILL: still}


def mean_figures(clips: Sequence[Mapping[str, MouthAgreement]]) -> dict[str, Figures]:
    """Mean of each figure of each system over the clips that have it; the systems of the first clip count."""
    means: dict[str, Figures] = {}
    for system in clips[0]:
        rows = [asdict(clip[system]) for clip in clips if system in clip]
        present = {name: [row[name] for row in rows if row[name] is not None] for name in rows[0]}
        means[system] = {
            name: round(sum(values) / len(values), 4) if values else None for name, values in present.items()
        }
    return means


def markdown_table(systems: Mapping[str, Figures]) -> str:
    """A table with one row per system; figures that a system has not are left out."""
    lines = [f"| {' | '.join(['', *COLUMNS])} |".replace("|  |", "| |"), "|---" * (len(COLUMNS) + 1) + "|"]
    for system, figures in systems.items():
        cells = [(figures[name], form) for name, form in COLUMNS.values()]
        lines.append(
            f"| {system} |" + "".join(" |" if value is None else f" {form % value} |" for value, form in cells)
        )
    return "\n".join(lines)


def _vocaset(sentences: Mapping[str, Mapping[str, Path]], animated: Mapping[Path, Path]) -> dict[str, Figures]:
    real = {sentence: see_face(videos[GROUND_TRUTH]) for sentence, videos in sentences.items()}
    ours = {sentence: see_face(animated[videos[GROUND_TRUTH]]) for sentence, videos in sentences.items()}
    following = dict(zip(sentences, [*list(sentences)[1:], *list(sentences)[:1]], strict=True))
    clips = []
    for sentence, videos in sentences.items():
        peers = {name: see_face(path) for name, path in videos.items() if name != GROUND_TRUTH}
        faces = {**peers, OURS: ours[sentence], SHUFFLED: ours[following[sentence]]}
        clips.append(compared(real[sentence], faces))
    return mean_figures(clips)


def _animated(speeches: Sequence[Path], talker: str, folder: Path) -> dict[Path, Path]:
    """Videos of our talker with default settings."""
    options = AnimateOptions(talker=talker, formats=("mp4",), seed=0)
    batch = animate_all(speeches, options, out=folder / "animated")
    for error in batch.failed.values():
        raise error
    return {result.speech: result.paths["mp4"] for result in batch.done}


def _fitted(grid: Path, folder: Path) -> dict[str, MouthAgreement]:
    """The left half of SPECTRE's video, its reconstruction, and ours compared with the right half, the original."""
    panels = [crop_panel(grid, folder / f"{grid.stem}-{side}.mp4", side) for side in (0, 1)]
    rendered = render(fit(panels[1]), folder / f"{grid.stem}-fitted.mp4", camera="tracked")
    faces = {"SPECTRE": see_face(panels[0]), "facetalk fit": see_face(rendered)}
    return compared(see_face(panels[1]), faces)


def crop_panel(grid: Path, out_path: Path, side: int) -> Path:
    """Write the left (0) or right (1) half of a video as a video of its own."""
    width, height = VideoReader(grid).size
    region = Region(side * (width // 2), 0, width // 2, height)
    with VideoReader(grid, region=region) as frames, VideoWriter(out_path, region.size, frames.fps) as panel:
        for _, image in frames:
            panel.write(image)
    return out_path


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--table"]
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m facetalk.workshop.cards.peers PACK [TALKER] [--table]")
    results = peer_figures(Path(arguments[0]), *arguments[1:])
    if "--table" in sys.argv:
        print("\n\n".join(f"{name}\n\n{markdown_table(systems)}" for name, systems in results.items()))
    else:
        print(json.dumps(results, indent=2))
