"""Draw every emotion at levels 1, 2 and 3 while the example sentence is spoken.

    python examples/emotion_sheet.py [SHEET.png] [TALKER]        # writes docs/emotions.png

All images show the same moment; the first column is the take without emotion.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from facetalk.core.emotions import EMOTIONS, NEUTRAL, parse_emotions
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.io.audio import read_waveform
from facetalk.motion.frames import make_renderer, posed
from facetalk.motion.framing import framed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.talkers.base import Direction
from facetalk.talkers.emotion import speak_with_emotion
from facetalk.talkers.registry import load_talker

HERE = Path(__file__).resolve().parent
MOMENT_S = 2.0
"""Of the sentence: the lips are a little apart."""
SIDE, TITLE = 170, 20
NUM_COLORS = 256
"""A third of the file's size, and no visible difference."""
FACE = (0.18, 0.10, 0.82, 0.80)
"""The part of the front camera's image that is shown: left, top, right and bottom."""


def moments(talker_name: str) -> Iterator[tuple[int, int, Motion]]:
    """Column, row and the frame of each emotion and level."""
    talker, waveform = load_talker(talker_name), read_waveform(HERE / "speech.wav")
    for column, name in enumerate(EMOTIONS):
        for row, level in enumerate((1, 2, 3)):
            asked = None if name == NEUTRAL else parse_emotions(f"{name}:{level}")
            take = speak_with_emotion(talker, waveform, Direction(emotion=asked))
            yield column, row, take.pick([round(MOMENT_S * FPS)])


def main(path: Path | str = HERE.parent / "docs/emotions.png", talker: str = "styletalk") -> None:
    """Write the sheet."""
    head = load_head()
    sheet = Image.new("RGB", (len(EMOTIONS) * SIDE, TITLE + 3 * SIDE), "white")
    draw = ImageDraw.Draw(sheet)
    left, top, right, bottom = (share * 2 * SIDE for share in FACE)
    renderer = None
    with torch.inference_mode():
        for column, row, frame in moments(talker):
            if renderer is None:
                renderer = make_renderer("cpu", head_surface(head.assets), framed(frame, head, 2 * SIDE).camera)
            image = Image.fromarray(renderer.render(next(posed(head, frame))))
            face = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, right, bottom))
            sheet.paste(face, (column * SIDE, TITLE + row * SIDE))
    for column, name in enumerate(EMOTIONS):
        draw.text((column * SIDE + 6, 3), name, "black", font_size=13)
    sheet.quantize(NUM_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
