"""MediaPipe's points in the videos of a recording pack, for `facetalk.workshop.head.measuring`.

`python -m facetalk.workshop.head.landmarks PACK OUT` reads `PACK/MANIFEST.csv` (columns path, kind, speaker,
duration_s, fps) and writes, for up to three videos of each speaker, `points (frames, 478, 3)` in pixels of some 40
frames. The files are named after the video's path with `__` for `/`; existing ones are kept.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facetalk.core.errors import FacetalkError
from facetalk.io.video import DETECTION_SIDE, VideoReader
from facetalk.vision.landmark_detector import MediaPipeDetector
from facetalk.workshop.head.measuring import MAX_FRAMES, landmarks_name

KINDS = ("video", "style_video", "expressive_video", "laughing_video")
VIDEOS_PER_SPEAKER = 3
LAST_FRAME = 1200
"""Later frames of a video are not read."""
USUAL_S, USUAL_FPS = 3.0, 25.0
"""Where the table does not say."""


def chosen_videos(manifest_path: Path) -> dict[str, int]:
    """Up to `VIDEOS_PER_SPEAKER` videos of each speaker, and every how many frames they are looked at."""
    videos = defaultdict(list)
    with manifest_path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] in KINDS:
                frames = float(row["duration_s"] or USUAL_S) * float(row["fps"] or USUAL_FPS)
                videos[row["speaker"]].append((row["path"], max(1, int(frames / MAX_FRAMES))))
    chosen: dict[str, int] = {}
    for _, paths in sorted(videos.items()):
        chosen |= dict(sorted(paths)[:: max(1, len(paths) // VIDEOS_PER_SPEAKER)][:VIDEOS_PER_SPEAKER])
    return chosen


def detected(path: Path, every: int) -> Iterator[np.ndarray]:
    """Points (478, 3) of the face in every n-th frame of a video that shows one, pixels."""
    with VideoReader(path, max_side=DETECTION_SIDE) as video, MediaPipeDetector() as detector:
        for index, (_, image) in enumerate(video):
            if index > LAST_FRAME:
                return
            points = detector.detect(image) if index % every == 0 else None
            if points is not None:
                yield points


def main(arguments: list[str]) -> None:
    """Detect the faces of a pack."""
    pack, out = map(Path, arguments)
    out.mkdir(parents=True, exist_ok=True)
    for name, every in chosen_videos(pack / "MANIFEST.csv").items():
        target = out / f"{landmarks_name(name)}.npz"
        if target.exists():
            continue
        try:
            points = list(detected(pack / name, every))
        except FacetalkError as error:
            print(f"skipped: {error}", file=sys.stderr)
            continue
        if points:
            np.savez_compressed(target, points=np.stack(points))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m facetalk.workshop.head.landmarks PACK OUT")
    main(sys.argv[1:])
