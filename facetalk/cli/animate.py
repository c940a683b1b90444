"""`facetalk animate`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facetalk.cli.options import (
    AvatarOption,
    EngineOption,
    EyesName,
    FpsOption,
    GainOption,
    HairName,
    HeadName,
    JobsOption,
    JsonFlag,
    JsonLinesFlag,
    OffsetOption,
    OnlyOption,
    OverwriteFlag,
    PhotoOption,
    PortraitOption,
    SkinName,
    SkipFlag,
    TextOption,
    TranscriptOption,
    VoiceOption,
    VoiceSpeedOption,
    input_path,
)
from facetalk.cli.progress import progress_display
from facetalk.cli.report import batch_report
from facetalk.cli.stdin import is_stdin, print_frames, stored_stdin
from facetalk.core.errors import UsageError
from facetalk.exporters.registry import FORMATS

if TYPE_CHECKING:
    from facetalk.pipelines.animate_jobs import AnimateOptions


def animate(
    speech: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SPEECH",
            parser=input_path,
            help="Audio files, videos with speech, folders or 'patterns*' of them, @list.txt, a table of lines: "
            "@lines.csv, or - for stdin.",
        ),
    ] = None,
    transcript: TranscriptOption = None,
    text: TextOption = None,
    voice: VoiceOption = None,
    voice_speed: VoiceSpeedOption = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--style", metavar="REF", help="Speaking style: a video, motion file, style name, or mix A:0.4,B:0.6."
        ),
    ] = None,
    style_strength: Annotated[
        float, typer.Option("--style-strength", help="0: neutral; 1: as the reference; up to 1.5: exaggerated.")
    ] = 1.0,
    talker: Annotated[str, typer.Option("--talker", help="A bundled talker, or a folder of trained weights.")] = (
        "styletalk"
    ),
    head: HeadName = "facetalk",
    avatar: AvatarOption = None,
    photo: PhotoOption = None,
    portrait: PortraitOption = None,
    skin: SkinName = None,
    eyes: EyesName = None,
    hair: HairName = None,
    channel: Annotated[
        str | None, typer.Option("--channel", help="Use one channel of the audio: left, right, or its number.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Where to start in the audio: seconds, or 1:02.5.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Where to end.")] = None,
    emotion: Annotated[
        str | None,
        typer.Option(
            "--emotion",
            metavar="WHAT",
            help="happy, happy:2 (levels 0 to 3), happy:1,sad:1, va:0.6,-0.3, track.csv, or auto: from the voice.",
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="NAME", help="One of the people a talker was trained on, or their number."),
    ] = None,
    laughter: Annotated[
        float | None,
        typer.Option("--laughter", help="Multiplies the laughter where the voice laughs; 0: none.  [default: 1]"),
    ] = None,
    gestures: Annotated[
        str | None,
        typer.Option(
            "--gestures",
            metavar="NAME",
            help="What moves head and eyes: facial (learned from speech), idle (statistics), or trained weights.  "
            "[default: facial]",
        ),
    ] = None,
    head_motion: Annotated[
        float, typer.Option("--head-motion", min=0, help="Multiplies the head motion; 0: none.")
    ] = 1.0,
    blinks: Annotated[float, typer.Option("--blinks", min=0, help="Multiplies the blink rate; 0: none.")] = 1.0,
    gaze: Annotated[float, typer.Option("--gaze", min=0, help="Multiplies how far the eyes wander; 0: none.")] = 1.0,
    look: Annotated[
        str | None,
        typer.Option(
            "--look",
            metavar="WHERE",
            help="camera, a place X,Y,Z in meters from the eyes, or track.csv with seconds,x,y,z.  [default: camera]",
        ),
    ] = None,
    eye_contact: Annotated[
        float, typer.Option("--eye-contact", min=0, max=1, help="Share of the time that the eyes are on it.")
    ] = 0.77,
    still: Annotated[bool, typer.Option("--still", help="Hold head and eyes.")] = False,
    idle: Annotated[
        float | None,
        typer.Option("--idle", metavar="SECONDS", help="A loop of this length in which the face rests; no SPEECH."),
    ] = None,
    gain: GainOption = None,
    offset: OffsetOption = None,
    only: OnlyOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="Folder that gets a folder for each input, named after it.  [default: the current one]",
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="LIST",
            help=f"Comma-separated: {', '.join(FORMATS)}; of frames on stdout: jsonl or csv.  [default: mp4,npz,glb]",
        ),
    ] = None,
    size: Annotated[int, typer.Option("--size", min=16, max=4096, help="Width and height of the video, pixels.")] = 512,
    fps: FpsOption = None,
    raw: Annotated[
        str | None,
        typer.Option(
            "--raw", metavar="RATE[:FORMAT[:CHANNELS]]", help="stdin holds samples without a header: 16000:s16le."
        ),
    ] = None,
    look_ahead: Annotated[
        str | None,
        typer.Option(
            "--look-ahead", metavar="SECONDS", help="Audio that frames on stdout wait for, or all.  [default: 0.3]"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of blinks and head motion.  [default: follows from the audio]")
    ] = None,
    jobs: JobsOption = None,
    engine: EngineOption = "local",
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
    json_lines: JsonLinesFlag = False,
) -> None:
    """Turn speech into a talking head: a video with audio, a motion file and an animated mesh."""
    streams = is_stdin(speech or [])
    to_stdout = streams and out is None
    if to_stdout and (as_json or json_lines or overwrite or skip_existing):
        raise UsageError(
            "frames go to stdout while they come; --json, --json-lines, --overwrite and --skip-existing need -o"
        )
    if not streams and raw is not None:
        raise UsageError("--raw describes stdin; give - in place of files")
    if not to_stdout and look_ahead is not None:
        raise UsageError("--look-ahead is for frames on stdout: give - without -o")
    if to_stdout and (jobs is not None or engine != "local"):
        raise UsageError("frames go to stdout while they come; --jobs and --engine are for many inputs")
    if idle is not None and gestures not in (None, "idle"):
        raise UsageError(f"a loop has the gestures 'idle', not {gestures!r:.80}, which hear speech")

    spoken: dict[str, Any] = {
        name: value for name, value in (("voice", voice), ("speed", voice_speed)) if value is not None
    }
    if text is None and spoken:
        raise UsageError("--voice and --voice-speed are those of --text; in a table of lines they are columns")

    def options() -> AnimateOptions:
        from facetalk.core.audio_part import AudioPart
        from facetalk.head.looks import Look
        from facetalk.io.voices import SpokenText
        from facetalk.motion.regions import RegionalControl
        from facetalk.pipelines.animate_jobs import AnimateOptions

        files = "npz" if to_stdout else formats or "mp4,npz,glb"
        return AnimateOptions(
            style=style,
            style_strength=style_strength,
            talker=talker,
            head=head,
            avatar=avatar,
            photo=photo,
            portrait=portrait,
            look=Look(skin, eyes, hair),
            emotion=emotion,
            person=person,
            laughter=laughter,
            **({} if gestures is None else {"gestures": gestures}),
            head_motion=head_motion,
            blinks=blinks,
            gaze=gaze,
            look_at=look,
            eye_contact=eye_contact,
            still=still,
            idle_s=idle,
            formats=[name.strip() for name in files.split(",")],
            size=size,
            fps=fps,
            seed=seed,
            control=RegionalControl.parsed(gain, offset, only),
            part=AudioPart.parsed(channel, start, end),
            transcript=transcript,
            spoken=None if text is None else SpokenText(text, **spoken),
        )

    if to_stdout:
        print_frames(options(), raw, look_ahead, formats or "jsonl")
        return
    with batch_report("animate", as_json, json_lines) as report, progress_display() as show:
        from facetalk.pipelines.animate_table import animate_inputs

        chosen = options()
        with stored_stdin(raw) if streams else nullcontext() as stored:
            animate_inputs(
                (speech or []) if stored is None else [stored],
                chosen,
                out=out,
                overwrite=overwrite,
                skip_existing=skip_existing,
                jobs=jobs,
                engine=engine,
                progress=show,
                report=report.add,
            )
