"""`python -m facetalk.workshop.cards.render2video RUN DATA OUT [SECONDS]`: figures of a person's renderer, as JSON.

RUN was trained on the dataset DATA by `facetalk train render2video`. The part that it held out is rendered from its own
tracked motion and from its audio, next to two baselines: the nearest frame that was trained on, and the nearest mouth
pasted into the nearest frame. Videos go to OUT, where they can be looked at and judged by other programs. SECONDS is
the most that is shown of each part.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64

from facetalk.core.audio_part import AudioPart
from facetalk.core.landmarks import IBUG_MOUTH_SLICE
from facetalk.core.motion import Motion
from facetalk.data.manifest import Clip, read_manifest
from facetalk.io.audio_clip import AudioClip
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video import VideoReader
from facetalk.io.video_writer import VideoWriter
from facetalk.io.weights import read_config
from facetalk.metrics.flicker import Changes
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.motion.frames import matching_head
from facetalk.neural_rendering.footage import Footage, Scene
from facetalk.neural_rendering.person import PersonRenderer, read_person
from facetalk.neural_rendering.placement import placed
from facetalk.pipelines.animate import animate
from facetalk.pipelines.evaluate import evaluate
from facetalk.recipes.evaluation.person_baselines import PersonBaselines, landmarks_in
from facetalk.recipes.parts.person_frames import held_out, make_frames, read_person_footage
from facetalk.recipes.registry import load_recipe

FIGURES = ("ssim", "psnr", "cpbd", "m-lmd", "f-lmd", "flicker")
MOUTH_FLICKER = "mouth_flicker_levels"


class Part(NamedTuple):
    """A part of a video that was not trained on."""

    clip: Clip
    footage: Footage
    scene: Scene
    start_s: float


def main(run_dir: str, data_dir: str, out_dir: str, seconds: str = "3600") -> None:
    """Print the figures, and write the videos that they were measured on."""
    out, person = Path(out_dir), read_person(Path(run_dir))
    options = read_config(Path(run_dir) / "training.yaml")
    config = load_recipe(str(options.pop("method"))).read_config(options)
    footages, head = read_person_footage(Path(data_dir), config.data, config.network.size)
    train, kept = held_out(footages, config.data.held_out)
    baselines = PersonBaselines(make_frames(train, head, config.network, config.data))
    clips = {read_motion(clip.motion_path).meta["video_fingerprint"]: clip for clip in read_manifest(Path(data_dir))}
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for footage in kept:
        clip = clips[footage.scene.fingerprint]
        scene = next(scene for scene in person.person.scenes if scene.fingerprint == footage.scene.fingerprint)
        whole = next(item for item in footages if item.scene is footage.scene)
        start_s = (whole.num_frames - footage.num_frames) / footage.motion.fps
        footage = footage.cut(0, min(footage.num_frames, round(float(seconds) * footage.motion.fps)))
        part = Part(clip, footage, scene, start_s)
        found[clip.name] = measured(part, person, baselines, out)
    print(json.dumps(found, indent=1))


def measured(part: Part, person: PersonRenderer, baselines: PersonBaselines, out: Path) -> dict[str, object]:
    """Figures of each way to show a part, from its tracked motion and from its audio."""
    motion, scene, K = part.footage.motion, part.scene, part.scene.camera.K
    audio = AudioClip(part.clip.audio_path, AudioPart(start_s=part.start_s, end_s=part.start_s + motion.duration_s))
    stem = out / part.clip.name
    reference = _write(Path(f"{stem}.real.mp4"), (image.numpy() for image in part.footage.frames), motion, audio)
    start = time.perf_counter()
    shown = {"tracked": _write(Path(f"{stem}.tracked.mp4"), person.frames(motion, "tracked"), motion, audio)}
    speed = motion.num_frames / (time.perf_counter() - start)
    spoken = at_frame_rate(_spoken(part, audio, out), motion.fps)
    spoken = spoken.cut(0, min(spoken.num_frames, motion.num_frames))
    here = PersonRenderer(replace(person.person, scenes=(scene,)), person.network, person.head)
    shown["spoken"] = _write(Path(f"{stem}.spoken.mp4"), here.frames(spoken), spoken, audio)
    usual, _ = matching_head(spoken, person.head)
    usual = placed(usual, person.person.habits).replace(betas=person.person.betas)
    for name, wanted in (("tracked", motion), ("spoken", usual)):
        for way in (baselines.nearest, baselines.pasted):
            path = Path(f"{stem}.{name}-{way.__name__}.mp4")
            shown[f"{name}-{way.__name__}"] = _write(path, way(wanted, scene, K), wanted, audio)
    figures = {name: dict(evaluate(path, reference, metrics=FIGURES).mean) for name, path in shown.items()}
    boxes = {"real": mouth_boxes(motion, scene, baselines), "spoken": mouth_boxes(usual, scene, baselines)}
    for name, path in {"real": reference, **shown}.items():
        there = boxes["spoken" if name.startswith("spoken") else "real"]
        figures.setdefault(name, {})[MOUTH_FLICKER] = mouth_flicker(path, there)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": motion.duration_s, "figures": figures, "frames_per_s": speed, "peak_memory_mb": memory}


def mouth_boxes(motion: Motion, scene: Scene, baselines: PersonBaselines) -> Int64[np.ndarray, "frames 4"]:
    """Left, top, right and bottom of the fitted mouth in each frame, with half of its height around it, pixels."""
    points = landmarks_in(baselines.head, motion, scene.camera.K)[:, IBUG_MOUTH_SLICE].numpy()
    low, high = points.min(1), points.max(1)
    room = (high - low)[:, 1:] / 2
    side = scene.camera.image_size[0]
    return np.concatenate([np.floor(low - room), np.ceil(high + room)], 1).clip(0, side).astype(np.int64)


def mouth_flicker(path: Path, boxes: Int64[np.ndarray, "frames 4"]) -> float:
    """Mean absolute second difference over time in the mouth of a video, gray levels."""
    changes, found = Changes(), []
    with VideoReader(path) as video:
        for (_, image), (left, top, right, bottom) in zip(video, [boxes[0], *boxes], strict=False):
            second = changes.add(image)  # of the frame before
            if second is not None:
                found.append(second[top:bottom, left:right].mean())
    return float(np.mean(found))


def _spoken(part: Part, audio: AudioClip, out: Path) -> Motion:
    """The animation of the part's audio, in the speaking style of the rest of its video."""
    style, motion = out / f"{part.clip.name}.style.npz", read_motion(part.clip.motion_path)
    write_motion(style, motion.cut(0, round(part.start_s * motion.fps)))  # only what was trained on
    result = animate(audio.path, style=style, part=audio.part, formats=("npz",), out=out / "animated", overwrite=True)
    return read_motion(result.paths["npz"])


def _write(path: Path, frames: Iterator[np.ndarray], motion: Motion, audio: AudioClip) -> Path:
    frames = iter(frames)
    first = next(frames)
    with VideoWriter(path, (first.shape[1], first.shape[0]), motion.fps, audio) as writer:
        writer.write(first)
        for image in frames:
            writer.write(image)
    return path


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
