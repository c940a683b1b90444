"""Draw the animation of the README: the example speech in the neutral style, and in the style of the reference.

    python examples/make_preview.py        # writes preview.gif beside it

A GIF is silent, so each word appears when it is spoken. The end of the motion is blended into its beginning.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from make_examples import SPEECH
from PIL import Image, ImageDraw

from facetalk.core.motion import Motion
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.audio import read_waveform, write_wav
from facetalk.io.motion import read_motion
from facetalk.motion.edits import looped
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.motion.frames import make_renderer, posed, rendered
from facetalk.motion.framing import framed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.pipelines.animate import animate

HERE = Path(__file__).resolve().parent
STYLES = {"facetalk animate speech.wav": None, "... --style ref.mp4": HERE / "ref.mp4"}
"""Caption and style of each face."""
FPS = 20
"""GIF counts in hundredths of a second, so that 30 would not be exact."""
SIDE, BAR = 240, 26
FACE = (0.16, 0.10, 0.84, 0.78)
"""The part of the front camera's image that is shown: left, top, right and bottom."""
PAUSE_S, CROSSFADE_S = 0.6, 0.4
"""Silence before the speech, and the part of it that is blended with the silence at the end."""
SPOKEN, UNSPOKEN = "black", "#b0b0b0"
NUM_COLORS, HELD_LEVELS = 255, 8
"""What keeps the file below two megabytes: colors, and changes of brightness (0 to 255) that are not shown."""


def performances() -> list[Motion]:
    """The speech in each style, with its words, as a loop."""
    with tempfile.TemporaryDirectory() as folder:
        speech, words = Path(folder) / "speech.wav", Path(folder) / "words.txt"
        write_wav(speech, torch.cat([torch.zeros(round(PAUSE_S * SAMPLE_RATE)), read_waveform(HERE / "speech.wav")]))
        words.write_text(SPEECH, "utf-8")
        motions = []
        for number, style in enumerate(STYLES.values()):
            made = animate(speech, style=style, transcript=words, formats=("npz",), out=Path(folder) / str(number))
            motions.append(looped(at_frame_rate(read_motion(made.paths["npz"]), FPS), CROSSFADE_S))
        return motions


def faces(motion: Motion) -> Iterator[Image.Image]:
    """The face in each frame, `SIDE` pixels wide and high."""
    head = load_head()
    view = framed(motion, head, 2 * SIDE)
    renderer = make_renderer("cpu", head_surface(head.assets), view.camera)
    left, top, right, bottom = (share * 2 * SIDE for share in FACE)
    for pixels in rendered(renderer, posed(head, view.motion)):
        yield Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, right, bottom))


def phrases(motion: Motion) -> list[list[tuple[float, str]]]:
    """Start and text of each word, in lines that end with a punctuation mark."""
    lines: list[list[tuple[float, str]]] = [[]]
    starts = [event.start for event in motion.events_of("word")]
    for start, word in zip(starts, SPEECH.split(), strict=True):
        lines[-1].append((start, word))
        if word[-1] in ",.!":
            lines.append([])
    return lines[:-1]


def subtitle(draw: ImageDraw.ImageDraw, lines: list[list[tuple[float, str]]], time_s: float) -> None:
    """Write the phrase of this moment; words that are still to come are gray."""
    line = [line for line in lines if line[0][0] <= time_s + PAUSE_S / 2][-1:]
    for words in line:
        text = " ".join(word for _, word in words)
        x = (2 * SIDE - draw.textlength(text, font_size=15)) / 2
        for start, word in words:
            draw.text((x, BAR + SIDE + 4), word, SPOKEN if start <= time_s else UNSPOKEN, font_size=15)
            x += draw.textlength(word + " ", font_size=15)


def frames(motions: list[Motion]) -> Iterator[Image.Image]:
    """Both faces side by side, captions above, words below."""
    lines = phrases(motions[0])
    for number, pair in enumerate(zip(*map(faces, motions), strict=True)):
        frame = Image.new("RGB", (2 * SIDE, SIDE + 2 * BAR), "white")
        draw = ImageDraw.Draw(frame)
        for column, (caption, face) in enumerate(zip(STYLES, pair, strict=True)):
            frame.paste(face, (column * SIDE, BAR))
            draw.text((column * SIDE + 6, 5), caption, "black", font_size=14)
        subtitle(draw, lines, number / FPS)
        yield frame


def held(images: Iterator[Image.Image]) -> Iterator[Image.Image]:
    """The frames, in which pixels keep their color until the change is visible: a GIF stores only what changes."""
    shown = None
    for image in images:
        pixels = np.asarray(image).astype(np.int16)
        if shown is not None:
            pixels = np.where(np.abs(pixels - shown).max(2, keepdims=True) > HELD_LEVELS, pixels, shown)
        shown = pixels
        yield Image.fromarray(shown.astype(np.uint8))


def main() -> None:
    """Write the animation."""
    images = list(held(frames(performances())))
    # One palette for all frames; without dithering, because its noise would change in every frame.
    palette = Image.fromarray(np.concatenate([np.asarray(image) for image in images[::12]])).quantize(NUM_COLORS)
    drawn = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    drawn[0].save(HERE / "preview.gif", save_all=True, append_images=drawn[1:], duration=1000 // FPS, loop=0)


if __name__ == "__main__":
    main()
