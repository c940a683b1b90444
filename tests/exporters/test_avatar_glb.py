"""An animated character is the user's file, byte for byte, with one animation that says what the motion says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.motion.avatar import AvatarPlay, read_avatar
from facetalk.pipelines.export import export
from tests.avatars import little_avatar, read_document, write_document
from tests.exporters.motions import lively_motion
from tests.exporters.test_glb import Reader


@pytest.fixture
def motion(toy_head: HeadModel) -> Motion:
    return lively_motion(toy_head.assets, num_frames=20)


def with_extras(document: dict[str, Any]) -> None:
    """What other programs put into a file and expect to find again."""
    document["extensionsUsed"] = ["EXT_meshopt_compression", "VENDOR_thing"]
    document["extensions"] = {"VENDOR_thing": {"a": [1, {"b": None}]}}
    document["animations"] = [
        {"name": "idle", "channels": [], "samplers": []},
        {"name": "performance", "channels": [], "samplers": []},
    ]
    document["materials"][0]["extras"] = {"note": "keep"}


def test_everything_but_the_animation_stays(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    source = little_avatar(tmp_path / "in.glb", change=with_extras)
    export(motion, tmp_path / "out.glb", head=toy_head, avatar=source)
    before, old_bytes = read_document(source)
    after, new_bytes = read_document(tmp_path / "out.glb")
    assert new_bytes.startswith(old_bytes)
    for name in ("nodes", "meshes", "materials", "skins", "scenes", "extensions", "extensionsUsed", "asset"):
        assert after[name] == before[name]
    for name in ("accessors", "bufferViews"):
        assert after[name][: len(before[name])] == before[name]
    assert [animation["name"] for animation in after["animations"]] == ["performance", "idle"]
    assert after["animations"][0]["extras"]["frames"] == 20


def sampled(reader: Reader, number: int, times: np.ndarray) -> np.ndarray:
    """Values of a sampler between its keys."""
    sampler = reader.file.animations[0].samplers[number]
    keys = reader.array(sampler.input)[:, 0]
    values = reader.array(sampler.output).reshape(len(keys), -1)
    return np.stack([np.interp(times, keys, column) for column in values.T], 1)


def test_the_curves_are_those_of_the_motion(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    source = little_avatar(tmp_path / "in.glb")
    export(motion, tmp_path / "out.glb", head=toy_head, avatar=source)
    reader, play = Reader(tmp_path / "out.glb"), AvatarPlay(read_avatar(source), motion)
    times = np.arange(motion.num_frames) / motion.fps
    weights, turns = dict(play.weights()), dict(play.turns())
    seen = set()
    for channel in reader.file.animations[0].channels:
        found = sampled(reader, channel.sampler, times)
        if channel.target.path == "weights":
            np.testing.assert_allclose(found, weights[channel.target.node], atol=0.004)
        else:
            close = np.abs((found * turns[channel.target.node]).sum(1)) / np.linalg.norm(found, axis=1)
            np.testing.assert_allclose(close, 1, atol=1e-5)
        seen.add((channel.target.node, channel.target.path))
    assert seen == {(node, "weights") for node in weights} | {(node, "rotation") for node in turns}


def as_gltf(folder: Path, source: Path) -> Path:
    """The same character as a `.gltf` with two buffers and an image in files of their own."""
    document, binary = read_document(source)
    folder.mkdir()
    half = document["bufferViews"][len(document["bufferViews"]) // 2]["byteOffset"]
    document["buffers"] = [{"byteLength": half, "uri": "a.bin"}, {"byteLength": 64},
                           {"byteLength": len(binary) - half, "uri": "b%20c.bin"}]  # fmt: skip
    (folder / "a.bin").write_bytes(binary[:half])
    (folder / "b c.bin").write_bytes(binary[half:])
    for view in document["bufferViews"]:
        if view["byteOffset"] >= half:
            view |= {"buffer": 2, "byteOffset": view["byteOffset"] - half}
    document["bufferViews"].append(
        {"buffer": 1, "byteLength": 64,
         "extensions": {"EXT_meshopt_compression": {"buffer": 2, "byteOffset": 4, "byteLength": 8}}}
    )  # fmt: skip
    (folder / "skin.jpg").write_bytes(b"\xff\xd8\xff image")
    document["images"] = [{"uri": "skin.jpg"}, {"uri": "data:image/png;base64,AAAA"}]
    path = folder / "in.gltf"
    path.write_text(json.dumps(document))
    return path


def test_files_beside_a_gltf_are_packed(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    plain = little_avatar(tmp_path / "in.glb")
    source = as_gltf(tmp_path / "parts", plain)
    export(motion, tmp_path / "out.glb", head=toy_head, avatar=source)
    reference = Reader(plain)
    packed = Reader(tmp_path / "out.glb")
    for number in range(len(reference.file.accessors)):
        np.testing.assert_array_equal(packed.array(number), reference.array(number))
    document, binary = read_document(tmp_path / "out.glb")
    assert [buffer.get("uri") for buffer in document["buffers"]] == [None, None]
    view = document["bufferViews"][len(reference.file.bufferViews)]
    moved = view["extensions"]["EXT_meshopt_compression"]
    assert view["buffer"] == 1 and moved["buffer"] == 0
    start = moved["byteOffset"]
    assert binary[start : start + 8] == (tmp_path / "parts/b c.bin").read_bytes()[4:12]
    image = document["images"][0]
    place = document["bufferViews"][image["bufferView"]]
    assert image["mimeType"] == "image/jpeg" and "uri" not in image
    assert binary[place["byteOffset"] :].startswith(b"\xff\xd8\xff image")
    assert document["images"][1] == {"uri": "data:image/png;base64,AAAA"}


def test_a_character_can_be_animated_again(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    export(motion, tmp_path / "a.glb", head=toy_head, avatar=little_avatar(tmp_path / "in.glb"))
    export(motion, tmp_path / "b.glb", head=toy_head, avatar=tmp_path / "a.glb")
    assert [animation["name"] for animation in read_document(tmp_path / "b.glb")[0]["animations"]] == ["performance"]


def test_a_long_take_adds_little(tmp_path: Path, toy_head: HeadModel) -> None:
    motion = lively_motion(toy_head.assets, num_frames=3)
    steady = motion.pick([0] * 5000 + [1])
    source = little_avatar(tmp_path / "in.glb")
    export(steady, tmp_path / "out.glb", head=toy_head, avatar=source)
    assert (tmp_path / "out.glb").stat().st_size - source.stat().st_size < 10_000


def test_an_avatar_is_refused_where_it_cannot_be_shown(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    source = little_avatar(tmp_path / "in.glb")
    for name, message in (("a.obj.d_obj", "no avatar"), ("a.csv", "no avatar"), ("a.usda", "no avatar")):
        with pytest.raises(UsageError, match=message):
            export(motion, tmp_path / name, head=toy_head, avatar=source)
    with pytest.raises(UsageError, match="camera front"):
        export(motion, tmp_path / "a.mp4", head=toy_head, avatar=source, camera="tracked")
    with pytest.raises(FacetalkError, match="would be replaced"):
        export(motion, source, head=toy_head, avatar=source, overwrite=True)
    with pytest.raises(FacetalkError, match="no such file"):
        export(motion, tmp_path / "a.glb", head=toy_head, avatar=tmp_path / "absent.glb")
    assert not list(tmp_path.glob(".*"))


def test_a_broken_view_is_refused_before_anything_is_written(
    tmp_path: Path, toy_head: HeadModel, motion: Motion
) -> None:
    document, binary = read_document(little_avatar(tmp_path / "in.glb"))
    for value in ({"buffer": 4}, {"byteOffset": -4}):
        broken = {**document, "bufferViews": [*document["bufferViews"], {**document["bufferViews"][0], **value}]}
        write_document(tmp_path / "broken.glb", broken, binary)
        with pytest.raises(FacetalkError, match="buffer view"):
            export(motion, tmp_path / "out.glb", head=toy_head, avatar=tmp_path / "broken.glb")
        assert not (tmp_path / "out.glb").exists()
