"""What the files that the documentation names stand for: short recordings, videos, motions and characters."""

from __future__ import annotations

import csv
import itertools
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image

from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import read_waveform
from facetalk.io.motion import write_motion
from facetalk.io.video import VideoReader, read_video_info
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.pipelines.animate import animate
from facetalk.pipelines.export import export
from facetalk.pipelines.fit import fit
from facetalk.rendering.camera import front_camera
from facetalk.rendering.renderer import CpuRenderer
from tests.avatars import little_avatar
from tests.documentation.blocks import ROOT
from tests.neural_rendering.people import write_run

NUM_FRAMES = 15
"""Of videos."""


class Inputs:
    """Makes each file once, and puts copies where a command needs them."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def place(self, words: Sequence[str], folder: Path, outputs: bool = False) -> None:
        """Put what a command names into a folder; what it writes only where that is to exist already."""
        pairs = zip(("", *words), words, strict=False)
        read = [word for before, word in pairs if outputs or before not in ("-o", "--out")]
        for part in {part.rstrip("/") for word in read for part in re.split(r"[:=,@]", word)} & set(MAKERS):
            shutil.copytree(self.made(part), folder, dirs_exist_ok=True)

    def made(self, name: str) -> Path:
        """The folder that holds one input, with what belongs to it."""
        folder = self.cache / name.replace("/", "_")
        if not folder.exists():
            folder.mkdir(parents=True)
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            MAKERS[name](self, path)
        return folder

    def clip(self) -> Path:
        """The video that all fits use."""
        return self.made("clip.mp4") / "clip.mp4"


def _speech(inputs: Inputs, path: Path) -> None:
    waveform = read_waveform(ROOT / "examples/speech.wav")[: SAMPLE_RATE * 6 // 10]
    soundfile.write(path, waveform.numpy(), SAMPLE_RATE)


def _speech_folder(inputs: Inputs, path: Path) -> None:
    path.mkdir()
    _speech(inputs, path / "talk.wav")


def _list(inputs: Inputs, path: Path) -> None:
    path.write_text("# a talk\ntalk.wav\n", "utf-8")
    _speech(inputs, path.with_name("talk.wav"))


def _lines(inputs: Inputs, path: Path) -> None:
    path.write_text("file,name,style\nscene1.wav,hello,happy\n", "utf-8")
    _speech(inputs, path.parent / "scene1.wav")


def _text(text: str, inputs: Inputs, path: Path) -> None:
    path.write_text(text, "utf-8")


def _video(inputs: Inputs, path: Path, people: int = 1, audio: bool = True) -> None:
    with VideoReader(ROOT / "examples/ref.mp4") as video:
        (width, height), fps = video.size, video.fps
        images = [image for _, image in itertools.islice(video, NUM_FRAMES)]
    audio_path = ROOT / "examples/speech.wav" if audio else None
    with VideoWriter(path, (people * width, height), fps, audio_path) as writer:
        for image in images:
            writer.write(np.concatenate([image] * people, 1))


def _wall(inputs: Inputs, path: Path) -> None:
    with VideoWriter(path, (320, 240), FPS) as writer:
        for _ in range(10):
            writer.write(np.full((240, 320, 3), 128, np.uint8))


def _videos(inputs: Inputs, path: Path) -> None:
    path.mkdir()
    shutil.copy(inputs.clip(), path / "ann.mp4")


def _fitted(inputs: Inputs, path: Path) -> None:
    fitted = inputs.cache / "fitted.npz"
    if not fitted.exists():
        write_motion(fitted, fit(inputs.clip()))
    shutil.copy(fitted, path)


def _animated(inputs: Inputs, path: Path) -> None:
    speech = path.parents[1] / f"{path.stem}.wav"
    _speech(inputs, speech)
    animate(speech, formats=("npz",), out=path.parents[1])


def _moving(num_frames: int, seed: int) -> Motion:
    """Curves that rise and fall by chance, on the bundled head."""
    knots = torch.rand(1, len(ARKIT_NAMES), num_frames // 8, generator=torch.Generator().manual_seed(seed))
    curves = torch.nn.functional.interpolate(knots, num_frames, mode="linear")[0].T * 0.4
    return still_motion("facetalk", curves, ARKIT_NAMES, FPS, load_head().num_betas)


def _take(inputs: Inputs, path: Path, seed: int = 1) -> None:
    write_motion(path, _moving(75, seed))


def _motions(inputs: Inputs, path: Path, seed: int = 1) -> None:
    path.mkdir()
    for number, name in enumerate(("a", "b")):
        _take(inputs, path / f"{name}.npz", seed + 2 * number)


def _dataset(inputs: Inputs, path: Path) -> None:
    path.mkdir()
    with (path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "speaker", "label"])
        for number, label in enumerate(("happy", "happy", "sad")):
            writer.writerow([f"clip{number}", f"s{number}", label])
            _take(inputs, path / f"clip{number}.npz", number)


def _phone(inputs: Inputs, path: Path) -> None:
    export(_moving(15, 1), path)


def _emotalk(inputs: Inputs, path: Path) -> None:
    np.save(path, _moving(16, 2).expression.numpy())


def _run(inputs: Inputs, path: Path, weights: str) -> None:
    shutil.copytree(ROOT / "weights" / weights, path)


def _person(inputs: Inputs, path: Path) -> None:
    write_run(path, video_size=read_video_info(inputs.clip()).size)


def _face(inputs: Inputs, path: Path) -> None:
    """The bundled head in front of a wall."""
    head = load_head()
    camera = front_camera(head.template[head.points.regions["skin"]], (256, 256))
    Image.fromarray(CpuRenderer(head_surface(head.assets), camera).render(head.template.numpy())).save(path)


def _avatar(inputs: Inputs, path: Path) -> None:
    little_avatar(path)


Maker = Callable[[Inputs, Path], None]


def _each(names: str, maker: Maker) -> Iterable[tuple[str, Maker]]:
    return ((name, maker) for name in names.split())


MAKERS: dict[str, Maker] = dict(
    itertools.chain(
        _each("talk.wav talk.mp3 speech.wav", _speech),
        _each("talks", _speech_folder),
        _each("talks/*.wav", lambda inputs, path: _speech(inputs, path.with_name("talk.wav"))),
        _each("list.txt", _list),
        _each("takes/*.npz", lambda inputs, path: _take(inputs, path.with_name("take.npz"))),
        _each("lines.csv", _lines),
        _each("talk.txt", partial(_text, "hello")),
        _each("broken.mp4 present.glb", partial(_text, "not what the suffix says")),
        _each("speakers.csv", partial(_text, "path,speaker,label\nann.mp4,Ann,happy\n")),
        _each("clip.mp4 ref.mp4 interview.mp4 video.mp4 rendered.mp4", _video),
        _each("silent.mp4", partial(_video, audio=False)),
        _each("talkshow.mp4", partial(_video, people=2)),
        _each("wall.mp4", _wall),
        _each("videos clips", _videos),
        _each("clip.npz ref.npz interview.npz seen.npz spectre.npz", _fitted),
        _each("talk/talk.npz speech/speech.npz", _animated),
        _each("take.npz idle.npz a.npz b.npz motion.npz", _take),
        _each("other.npz", partial(_take, seed=2)),
        _each("out results mine PRED", _motions),
        _each("reference other theirs older REF", partial(_motions, seed=2)),
        _each("dataset", _dataset),
        _each("iphone.csv", _phone),
        _each("emotalk.npy", _emotalk),
        _each("runs/mine", partial(_run, weights="styletalk")),
        _each("runs/anna", partial(_run, weights="facial")),
        _each("runs/face", _person),
        _each("face.png", _face),
        _each("moods.csv", partial(_text, "seconds,emotion,level\n0,neutral,\n0.3,happy,2\n")),
        _each("track.csv", partial(_text, "seconds,x,y,z\n0,0.4,0,1\n1,-0.4,0,1\n")),
        _each("character.glb character.vrm", _avatar),
    )
)
"""What makes each file or folder."""
