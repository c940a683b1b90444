"""`facetalk serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from facetalk.cli.options import GainOption, JsonFlag, OffsetOption, OnlyOption
from facetalk.cli.output import print_json, print_text
from facetalk.cli.progress import note, progress_display
from facetalk.cli.stdin import look_ahead_of


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; one that others reach needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0: any free one.")] = 8077,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="URL", help="Web page that may use the server: http://localhost:3000."),
    ] = None,
    live_link: Annotated[
        str | None,
        typer.Option("--live-link", metavar="HOST[:PORT]", help="Send frames to a receiver of Live Link Face, too."),
    ] = None,
    vmc: Annotated[
        str | None,
        typer.Option("--vmc", metavar="HOST[:PORT]", help="Send frames to a receiver of the VMC protocol, too."),
    ] = None,
    sessions: Annotated[int, typer.Option("--sessions", min=1, max=1000, help="Most streams at a time.")] = 4,
    look_ahead: Annotated[
        str | None,
        typer.Option("--look-ahead", metavar="SECONDS", help="Audio that frames wait for, or all.  [default: 0.3]"),
    ] = None,
    talker: Annotated[str, typer.Option("--talker", help="A bundled talker, or a folder of trained weights.")] = (
        "styletalk"
    ),
    style: Annotated[
        str | None,
        typer.Option("--style", metavar="REF", help="Speaking style: a video, motion file or style name, or a mix."),
    ] = None,
    style_strength: Annotated[
        float, typer.Option("--style-strength", help="0: neutral; 1: as the reference; up to 1.5: exaggerated.")
    ] = 1.0,
    emotion: Annotated[
        str | None, typer.Option("--emotion", metavar="WHAT", help="happy:2, happy:1,sad:1, va:0.6,-0.3, or auto.")
    ] = None,
    gestures: Annotated[
        str, typer.Option("--gestures", metavar="NAME", help="What moves head and eyes: facial, or idle.")
    ] = "facial",
    head_motion: Annotated[
        float, typer.Option("--head-motion", min=0, help="Multiplies the head motion; 0: none.")
    ] = 1.0,
    blinks: Annotated[float, typer.Option("--blinks", min=0, help="Multiplies the blink rate; 0: none.")] = 1.0,
    gaze: Annotated[float, typer.Option("--gaze", min=0, help="Multiplies how far the eyes wander; 0: none.")] = 1.0,
    gain: GainOption = None,
    offset: OffsetOption = None,
    only: OnlyOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of blinks and head motion.  [default: 0]")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Animate audio that other programs send: frames over a WebSocket as they come, or whole recordings."""
    with progress_display() as show:
        from facetalk.core.threads import one_torch_thread
        from facetalk.motion.regions import RegionalControl
        from facetalk.pipelines.animate_jobs import AnimateOptions
        from facetalk.pipelines.live_access import Access
        from facetalk.pipelines.live_outputs import LiveOutputs
        from facetalk.pipelines.live_server import Limits, load_server, run

        access = Access.of_environment(host, tuple(origin or ()))
        outputs = LiveOutputs(live_link, vmc)
        options = AnimateOptions(
            talker=talker,
            style=style,
            style_strength=style_strength,
            emotion=emotion,
            gestures=gestures,
            head_motion=head_motion,
            blinks=blinks,
            gaze=gaze,
            control=RegionalControl.parsed(gain, offset, only),
            seed=seed,
        )
        with one_torch_thread():
            server = load_server(options, look_ahead_of(look_ahead), access, Limits(sessions=sessions), outputs, show)

    def started(address: str) -> None:
        print_json({"address": address}) if as_json else print_text(address)
        note("Ctrl-C ends")

    run(server, port, started)
