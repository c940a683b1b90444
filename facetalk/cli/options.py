"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.progress import ProgressMode


def input_path(given: str) -> Path:
    """An input as it was typed; `Path` takes nothing at all, such as a variable that is not set, for this folder."""
    if not given:
        raise typer.BadParameter("an input is empty; give a path, or . for the current folder")
    return Path(given)


JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
JsonLinesFlag = Annotated[
    bool, typer.Option("--json-lines", help="Print a JSON object per input on stdout as it finishes, then a summary.")
]
HeadName = Annotated[str, typer.Option("--head", help="Head model, see `facetalk heads`.")]
SkinName = Annotated[str | None, typer.Option("--skin", metavar="NAME", help="Skin tone, such as light or deep.")]
EyesName = Annotated[str | None, typer.Option("--eyes", metavar="NAME", help="Eye color, such as brown or blue.")]
HairName = Annotated[str | None, typer.Option("--hair", metavar="NAME", help="Hair color, such as black or blond.")]
FpsOption = Annotated[
    float | None,
    typer.Option(
        "--fps",
        metavar="RATE",
        help="Frames a second: 24, 25, 29.97 (30000/1001), 30, 50, 60, ...  [default: the motion's; animate: 30]",
    ),
]
AvatarOption = Annotated[
    Path | None,
    typer.Option(
        "--avatar",
        metavar="FILE",
        help="Your own character (.glb, .gltf, .vrm) instead of the head, in GLB and video.",
    ),
]
PhotoOption = Annotated[
    Path | None,
    typer.Option(
        "--photo",
        metavar="RUN",
        help="A real person instead of the head, in video: a folder that `facetalk train render2video` wrote.",
    ),
]
PortraitOption = Annotated[
    Path | None,
    typer.Option(
        "--portrait",
        metavar="IMAGE",
        help="A person in a photo instead of the head, in video: a face that looks towards the camera.",
    ),
]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
SkipFlag = Annotated[
    bool,
    typer.Option("--skip-existing", help="Keep outputs that exist, unless other options made them; make the others."),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, help="Inputs at the same time, each in a process.  [default: 1; with ray one per core]"
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="local: processes of this machine; ray, ray:ADDRESS: a Ray cluster of it, or one that runs (extra ray).",
    ),
]
QuietFlag = Annotated[bool, typer.Option("-q", "--quiet", help="Only errors on stderr.")]
VerboseFlag = Annotated[bool, typer.Option("-v", "--verbose", help="Also say what is done, and how long it takes.")]
ProgressChoice = Annotated[
    ProgressMode,
    typer.Option("--progress", help="Progress on stderr; auto: a bar on a terminal, else a line every few seconds."),
]
TranscriptOption = Annotated[
    Path | None,
    typer.Option(
        "--transcript", metavar="FILE", help="What is said, for exact lips: a text file, .srt, .vtt or .TextGrid."
    ),
]
TextOption = Annotated[
    str | None, typer.Option("--text", help="English text that a voice says, in place of SPEECH; needs the extra tts.")
]
VoiceOption = Annotated[str | None, typer.Option("--voice", metavar="NAME", help="Voice of --text.  [default: heart]")]
VoiceSpeedOption = Annotated[
    float | None,
    typer.Option("--voice-speed", min=0.5, max=2.0, help="Speed of --text; 1, the default: as the voice speaks."),
]
GainOption = Annotated[
    str | None,
    typer.Option(
        "--gain",
        metavar="LIST",
        help="How far regions or channels move, such as mouth=1.2,upper=0.7,jawOpen=1.1 (also eyes, head); 0 to 4.",
    ),
]
OffsetOption = Annotated[
    str | None, typer.Option("--offset", metavar="LIST", help="What channels get added, such as eyeSquint=0.05.")
]
OnlyOption = Annotated[
    str | None, typer.Option("--only", metavar="LIST", help="Only these regions move: mouth, upper, eyes, head.")
]
