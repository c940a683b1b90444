"""The kinds of files that facetalk opens: how a small valid one is made, and what reads it."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch

from facetalk.core.camera import Camera
from facetalk.core.config import plain
from facetalk.core.events import Event
from facetalk.core.motion import still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.ffmpeg import read_output
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.weights import write_model, write_tensors
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig


class Kind(NamedTuple):
    """A kind of file."""

    name: str
    """Of the file."""
    form: str
    """What `mutate` knows of it."""
    make: Callable[[Path], Any]
    """Write a valid file."""
    read: Callable[[Path, Path], Any]
    """Read a file, and write what is made of it into a folder."""
    confined: bool = False
    """Whether a process is started to read it."""


def _tone(path: Path, **options: Any) -> None:
    samples = 0.3 * np.sin(np.arange(4800) * 0.1)
    soundfile.write(path, samples, 16_000, **options)


def _encoded(*arguments: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        video = ["-f", "lavfi", "-i", "testsrc=size=32x32:rate=10:duration=0.5"]
        audio = ["-f", "lavfi", "-i", "sine=duration=0.5:sample_rate=16000"]
        code, _, messages = read_output(["-y", *video, *audio, *arguments, "-shortest", f"file:{path}"])
        assert code == 0, messages

    return make


def _motion(path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    motion = still_motion("facetalk", torch.rand(4, 52, generator=generator), ARKIT_NAMES, 30.0, 33)
    camera = Camera(torch.tensor([[90.0, 0, 32], [0, 90.0, 32], [0, 0, 1]]), (64, 64))
    quality = torch.rand(4, generator=generator)
    motion = motion.replace(camera=camera, fit_error=quality, confidence=quality, source="x.mp4", source_fps=25.0)
    write_motion(path, motion.with_events([Event("phoneme", 0.0, 0.1, "AA"), Event("blink", 0.0, 0.1, strength=1.0)]))


def _gnm(path: Path) -> None:
    rng = np.random.default_rng(0)
    count, groups = 12, ["skin", "left_eye", "right_eye", "upper_lip", "lower_lip"]
    np.savez(
        path, version="3.0", variant="head", template_vertex_positions=rng.normal(size=(count, 3)),
        template_joint_positions=np.zeros((4, 3)), vertex_identity_basis=np.zeros((2, count, 3)),
        joint_identity_basis=np.zeros((2, 4, 3)), expression_basis=np.zeros((3, count, 3)), identity_names=["a", "b"],
        joint_names=["neck", "head", "left_eye", "right_eye"], expression_names=["x", "y", "z"],
        joint_parent_indices=np.array([0, 0, 1, 1]), skinning_weights=np.zeros((4, count)),
        triangles=np.zeros((5, 3), np.int32), triangle_uvs=np.zeros((5, 3, 2)),
        pose_correctives_regressor=np.zeros((36, 3 * count)), vertex_groups=np.ones((5, count)),
        vertex_group_names=groups,
    )  # fmt: skip


def _flame_values() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "v_template": rng.normal(size=(9, 3)), "shapedirs": rng.normal(size=(9, 3, 4)),
        "expressiondirs": rng.normal(size=(9, 3, 2)), "posedirs": np.zeros((9, 3, 36)), "bs_style": "lbs",
        "J_regressor": np.zeros((5, 9)), "weights": np.zeros((9, 5)), "f": np.zeros((4, 3), np.uint32),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]), "list": [1, 2.5, {"a": None}],
    }  # fmt: skip


def _archive(path: Path) -> None:
    files = {"model/generic_model.pkl": pickle.dumps(_flame_values(), 2), "model/LICENSE": b"none"}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w:xz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


_SMALL = LaughterDetectorConfig(num_mels=8, width=4, dilations=(1,))
_CONFIG = (
    "method: styletalk\nloop:\n  num_steps: 20\n  seed: 3\n  device: cpu\noptim: {learning_rate: 1e-4, average: 0.9}\n"
    "data:\n  length: 64\n  speeds: [1.0, 0.9]\n  dev_speakers: ['GRID:*']\n  shares: {a: 0.5}\nhead: facetalk\n"
)


def _detector(folder: Path) -> None:
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    write_model(folder, LaughterDetector(_SMALL), "laughter-detector", "laughter", {"network": plain(_SMALL)})


def _model(path: Path) -> None:
    _detector(path.parent)


def _person(path: Path) -> None:
    from tests.neural_rendering.people import write_run

    write_run(path.parent)


def _read_person(path: Path, out: Path) -> None:
    from facetalk.neural_rendering.person_file import read_person_file, write_person

    write_person(out, read_person_file(path.parent))


def _read_audio(path: Path, out: Path) -> None:
    from facetalk.io.audio import read_waveform, write_wav

    write_wav(out / "audio.wav", read_waveform(path))


def _read_video(path: Path, out: Path) -> None:
    from facetalk.core.errors import FacetalkError
    from facetalk.io.video import VideoReader

    with VideoReader(path) as video:
        for count, (_, image) in enumerate(video):
            assert image.ndim == 3
            if count > 200:
                break
    try:
        _read_audio(path, out)
    except FacetalkError as error:
        assert "\n" not in str(error)


def _read_motion(path: Path, out: Path) -> None:
    from facetalk.pipelines.export import export_all

    batch = export_all([path], out, formats=("csv", "npz", "visemes", "rhubarb-xml"), overwrite=True)
    for error in batch.failed.values():
        raise error
    write_motion(out / "again.npz", read_motion(path))


def _read_style(path: Path, out: Path) -> None:
    from facetalk.io.styles import read_style_file, write_style

    write_style(out / "style.safetensors", read_style_file(path), overwrite=True)


def _read_network(path: Path, out: Path) -> None:
    from facetalk.networks.registry import load

    other = {"model.safetensors": "config.yaml", "config.yaml": "model.safetensors"}[path.name]
    if not (path.parent / other).is_file():
        mutated = path.read_bytes()
        _detector(path.parent)
        path.write_bytes(mutated)
    load("laughter-detector", path.parent)


def _read_flame(path: Path, out: Path) -> None:
    from facetalk.io.flame import read_flame_arrays

    read_flame_arrays(path)


def _read_embedding(path: Path, out: Path) -> None:
    from facetalk.io.flame import read_flame_extras

    read_flame_extras(path.parent, 100, 100)


def _read_weights(path: Path, out: Path) -> None:
    from facetalk.io.published import read_published

    read_published(path)


def _read_archive(path: Path, out: Path) -> None:
    from facetalk.io.archives import unpack

    unpack(path, out / "unpacked")


def _read_gnm(path: Path, out: Path) -> None:
    from facetalk.io.gnm import read_gnm

    read_gnm(path)


def _read_config(path: Path, out: Path) -> None:
    from facetalk.recipes.registry import load_recipe, read_training_config

    options = read_training_config(path)
    load_recipe(str(options.pop("method", ""))).read_config(options)


def _read_edits(path: Path, out: Path) -> None:
    from facetalk.io.edit_list import read_edit_list
    from facetalk.motion.curve_edits import edited

    edited(still_motion("facetalk", torch.zeros(4, 52), ARKIT_NAMES, 30.0, 33), read_edit_list(path))


def _read_emotions(path: Path, out: Path) -> None:
    from facetalk.io.emotion_track import read_emotion_track

    read_emotion_track(path).frames(90)


def _read_lines(path: Path, out: Path) -> None:
    from facetalk.pipelines.animate_jobs import AnimateOptions
    from facetalk.pipelines.line_table import BrokenLine, read_lines

    for line in read_lines(path, AnimateOptions()):
        if isinstance(line, BrokenLine):
            raise line.error


def _read_manifest(path: Path, out: Path) -> None:
    from facetalk.data.manifest import read_manifest

    read_manifest(path.parent)


def _read_notes(path: Path, out: Path) -> None:
    from facetalk.data.notes import read_laugh_times, read_notes

    read_notes(path)
    read_laugh_times(path)


def _read_vertices(path: Path, out: Path) -> None:
    from facetalk.io.mesh_sequence import read_mesh_sequence

    read_mesh_sequence(path)


def _read_frame(path: Path, out: Path) -> None:
    from facetalk.io.mesh_sequence import read_mesh

    read_mesh(path)


def _read_regions(path: Path, out: Path) -> None:
    from facetalk.pipelines.evaluation.regions import read_layout

    read_layout(path, None)


def _ply(path: Path) -> None:
    from trimesh import Trimesh
    from trimesh.exchange.ply import export_ply

    path.write_bytes(export_ply(Trimesh(np.eye(3), [[0, 1, 2]], process=False)))


def _read_record(path: Path, out: Path) -> None:
    from facetalk.data.curation.settings import CurationRules
    from facetalk.pipelines.curate_video import CurationJob

    job = CurationJob(Path("v.mp4"), "v", out, "facetalk", CurationRules(), {}, None)
    job.record_path.parent.mkdir()
    job.record_path.write_bytes(path.read_bytes())
    job.read_record()


def _avatar(path: Path) -> None:
    from tests.avatars import little_avatar

    little_avatar(path, ARKIT_NAMES[::8])


def _show_avatar(path: Path, out: Path) -> None:
    from facetalk.motion.avatar import read_avatar
    from facetalk.motion.avatar_mesh import avatar_mesh
    from facetalk.motion.avatar_surface import avatar_surface
    from facetalk.pipelines.export import export

    motion = still_motion("facetalk", torch.zeros(2, 52), ARKIT_NAMES, 30.0, 0)
    export(motion, out / "a.glb", avatar=path)
    mesh = avatar_mesh(read_avatar(path))
    avatar_surface(mesh)
    for vertices in mesh.posed(motion):
        assert np.isfinite(vertices).all()


def _performance(path: Path) -> None:
    from facetalk.pipelines.export import export

    motion = still_motion("facetalk", torch.rand(9, 52), ARKIT_NAMES, 30.0, 0)
    _avatar(path.with_name("character.glb"))
    export(motion, path, avatar=path.with_name("character.glb") if path.suffix == ".glb" else None)
    path.with_name("character.glb").unlink()


def _import(path: Path, out: Path) -> None:
    from facetalk.importers.registry import import_motion

    write_motion(out / "a.npz", import_motion(path))


def _text(content: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text(content, encoding="utf-8")


_RECORD = json.dumps({
    "rules": {"length": {"min_s": 1.0}}, "duration_s": 9.0,
    "clips": [{"name": "v_001", "source": "v.mp4", "start_s": 0.0, "end_s": 2.5, "duration_s": 2.5, "laughter_s": 0}],
    "rejected": [{"source": "v.mp4", "start_s": 3.0, "end_s": 4.0, "face": 1, "reason": "small face", "value": 20.0}],
})  # fmt: skip

KINDS = {
    "wav": Kind("a.wav", "binary", _tone, _read_audio),
    "float wav": Kind("a.wav", "binary", lambda path: _tone(path, subtype="FLOAT"), _read_audio),
    "flac": Kind("a.flac", "binary", _tone, _read_audio),
    "ogg": Kind("a.ogg", "binary", _tone, _read_audio),
    "mp3": Kind("a.mp3", "binary", _encoded("-map", "1:a"), _read_audio),
    "mp4": Kind("a.mp4", "binary", _encoded("-c:v", "libx264", "-c:a", "aac"), _read_video),
    "flv": Kind("a.flv", "binary", _encoded("-c:v", "flv", "-c:a", "mp3", "-ar", "44100"), _read_video),
    "mkv": Kind("a.mkv", "binary", _encoded("-c:v", "mpeg4", "-c:a", "flac"), _read_video),
    "ts": Kind("a.ts", "binary", _encoded("-c:v", "mpeg2video", "-c:a", "mp2"), _read_video),
    "motion": Kind("a.npz", "zip", _motion, _read_motion),
    "style": Kind(
        "a.safetensors",
        "safetensors",
        lambda path: write_tensors(path, {"style_code": torch.rand(8)}, {"format": "facetalk-style", "talker": "x"}),
        _read_style,
    ),
    "model": Kind("model.safetensors", "safetensors", _model, _read_network),
    "description": Kind("config.yaml", "text", _model, _read_network),
    "person": Kind("person.safetensors", "safetensors", _person, _read_person),
    "pickle": Kind(
        "a.pkl", "binary", lambda path: path.write_bytes(pickle.dumps(_flame_values(), 2)), _read_flame, confined=True
    ),
    "flame npz": Kind("a.npz", "zip", lambda path: np.savez(path, **_flame_values()), _read_flame, confined=True),
    "embedding": Kind(
        "landmark_embedding.npy",
        "binary",
        lambda path: np.save(path, np.array({"full_lmk_faces_idx": np.arange(68), "full_lmk_bary_coords":
                                             np.ones((68, 3))}, object), allow_pickle=True),
        _read_embedding,
        confined=True,
    ),
    "pth": Kind("a.pth", "zip", lambda path: torch.save({"a": torch.rand(3, 4)}, path), _read_weights, confined=True),
    "old pth": Kind(
        "a.pth",
        "binary",
        lambda path: torch.save({"a": torch.rand(3, 4)}, path, _use_new_zipfile_serialization=False),
        _read_weights,
        confined=True,
    ),
    "zip": Kind("a.zip", "zip", _archive, _read_archive, confined=True),
    "tar.gz": Kind("a.tar.gz", "binary", _archive, _read_archive, confined=True),
    "tar.xz": Kind("a.tar.xz", "binary", _archive, _read_archive, confined=True),
    "gnm": Kind("a.npz", "zip", _gnm, _read_gnm),
    "configuration": Kind("a.yaml", "text", _text(_CONFIG), _read_config),
    "emotions": Kind(
        "track.csv", "text",
        _text("seconds,emotion,level\n0,neutral,\n1.5,happy,2\n1.5,sad,0.5\n3,fear,3\n"), _read_emotions,
    ),
    "edits": Kind(
        "take.edits.yaml", "text",
        _text("version: 1\nedits:\n  - {channel: jawOpen, span: [0, 0.1], value: 0.3, lock: true}\n"
              "  - channel: headYaw\n    offset: -5\n    easing: linear\n"), _read_edits,
    ),
    "lines": Kind(
        "lines.csv", "text", _text("file,name,seed,gain,from,to\na.wav,x,1,mouth=1.2,0.5,1:02\n'b c.wav',y,,,,\n"),
        _read_lines,
    ),
    "manifest": Kind(
        "manifest.csv", "text", _text("name,source,speaker,label,av_corr\na,x.mp4,p,happy,0.5\nb,y.mp4,q,sad,\n"),
        _read_manifest,
    ),
    "notes": Kind(
        "about.csv", "text", _text("path,speaker,start_s,end_s\nx.mp4,p,0.5,1.5\ny.mp4,q,2,3\n"), _read_notes
    ),
    "vertices": Kind(
        "a.npy", "npy", lambda path: np.save(path, np.random.default_rng(0).random((5, 7, 3)).astype("f4")),
        _read_vertices,
    ),
    "mesh archive": Kind(
        "a.npz", "zip", lambda path: np.savez(path, vertices=np.ones((5, 7, 3), "f4"), fps=25.0), _read_vertices
    ),
    "obj": Kind("a.obj", "text", _text("# a mesh\nv 0 0.5 1\nv 1 0 0 0.2 0.3\nv 0 1e-3 -1\nf 1 2 3\n"), _read_frame),
    "ply": Kind("a.ply", "binary", _ply, _read_frame),
    "regions": Kind(
        "a.json", "text", _text(json.dumps({"lips": [0, 1], "upper_face": [2], "template": [[0.1, 0.2, 0.3]]})),
        _read_regions,
    ),
    "record": Kind("v.json", "text", _text(_RECORD), _read_record),
    "avatar": Kind("a.glb", "glb", _avatar, _show_avatar),
    "animation": Kind("a.glb", "glb", _performance, _import),
    "live link": Kind("a.csv", "text", _performance, _import),
    "audio2face": Kind(
        "a.json", "text", _text(json.dumps({"exportFps": 30, "facsNames": ["jawOpen"], "weightMat": [[0.1], [0.2]]})),
        _import,
    ),
    "emotalk": Kind("a.npy", "npy", lambda path: np.save(path, np.zeros((3, 52), "f4")), _import),
}  # fmt: skip
