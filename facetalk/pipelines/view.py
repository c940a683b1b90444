"""Motion files -> a page that plays them in a browser, side by side."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.data.sources import clip_names, find_media
from facetalk.exporters.viewer_page import MOST_CLIPS, PageClip, viewer_page
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.importers.registry import import_motion
from facetalk.io.audio_clip import AudioClip
from facetalk.io.files import free_path, replacing
from facetalk.motion.frames import matching_head
from facetalk.motion.heads import load_head
from facetalk.pipelines.speech_audio import speech_of
from facetalk.pipelines.style_plane import style_plane

_log = logging.getLogger(__name__)


def view_page(
    paths: Sequence[Path | str],
    *,
    head: str | None = None,
    look: Look | None = None,
    audio: Path | str | None = None,
    with_audio: bool = True,
    with_styles: bool = True,
    progress: Progress = no_progress,
) -> str:
    """Return the page that `view` writes; its arguments and errors are those of `view`."""
    found = _read(paths, head, progress)
    heads: dict[str, HeadModel] = {}
    clips: list[PageClip] = []
    for (path, motion), name in zip(found.items(), clip_names(list(found)).values(), strict=True):
        wanted = head or motion.head
        heads[wanted] = heads.get(wanted) or load_head(wanted, look)
        matched, model = matching_head(motion, heads[wanted])
        heard = (audio or _recording(motion, path)) if with_audio else None
        clips.append(PageClip(name.replace("__", " / "), matched, model, heard))
    title = clips[0].name if len(clips) == 1 else f"{len(clips)} motions"
    return viewer_page(title, clips, style_plane([clip.motion for clip in clips]) if with_styles else None)


def view(
    paths: Sequence[Path | str],
    out_path: Path | str,
    *,
    head: str | None = None,
    look: Look | None = None,
    audio: Path | str | None = None,
    with_audio: bool = True,
    with_styles: bool = True,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Write a page that plays motions in a browser, one HTML file that loads nothing else, and return its path.

    Args:
        paths: motion files, files of other programs that `import_motion` reads, and folders that are searched for
            motion files; at most 16 motions.
        out_path: `.html` file.
        head: name of the head; the one that each motion names, if not given.
        look: colors of skin, eyes and hair.
        audio: audio or video file that is heard with all of them; otherwise each has the recording that it was made
            from, where `facetalk render` finds it, or the `.wav` file of its own name that lies beside it.
        with_audio: whether anything is heard.
        with_styles: whether the page maps the speaking styles.
        overwrite: replace an existing file.
        progress: called with the number of motions read.

    Raises:
        UsageError: the path is not that of an HTML file, there are too many motions, or the head has no such colors.
        FacetalkError: the path exists already, or a motion cannot be read.
    """
    out_path = Path(out_path)
    if out_path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"view writes .html files, not {out_path.name}; give {out_path.stem}.html")
    free_path(out_path, overwrite)
    page = view_page(
        paths,
        head=head,
        look=look,
        audio=audio,
        with_audio=with_audio,
        with_styles=with_styles,
        progress=progress,
    )
    with replacing(out_path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return out_path


def _read(paths: Sequence[Path | str], head: str | None, progress: Progress) -> dict[Path, Motion]:
    """The motions of files and folders; a folder may hold other arrays, which are named and left out."""
    files, motions = find_media(paths, (".npz",), "motion"), {}
    named = set(map(Path, paths))
    if len(files) > MOST_CLIPS:
        raise UsageError(f"a page shows at most {MOST_CLIPS} motions, not {len(files)}; name those to see")
    for number, path in enumerate(files, 1):
        try:
            motions[path] = import_motion(path, head=head)
        except FacetalkError as error:
            if path in named or (number == len(files) and not motions):
                raise
            _log.warning("left out: %s", error)
        progress("reading motions", number, len(files))
    return motions


def _recording(motion: Motion, path: Path) -> Path | AudioClip | None:
    """The audio that belongs to a motion file: its speech, or the file of its name that `facetalk fit` wrote."""
    beside = path.with_suffix(".wav")
    if motion.meta.get("command") != "animate" and beside.is_file():
        return beside
    return speech_of(motion, path)
