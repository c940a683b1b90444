"""glTF files of other people: read by the standard, or refused in one line, whatever they state."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io.gltf import CompressedError, GltfError, read_gltf
from facetalk.io.gltf_materials import read_texture
from facetalk.io.gltf_morphs import morph_meshes
from facetalk.io.gltf_nodes import read_nodes, rotation_matrix
from facetalk.io.gltf_values import GltfValues
from tests.avatars import little_avatar, write_document

DATA = np.arange(24, dtype=np.float32)


def document(**accessor: Any) -> dict[str, Any]:
    """A file with one accessor of eight rows."""
    return {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": DATA.nbytes}],
        "bufferViews": [{"buffer": 0, "byteLength": DATA.nbytes}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3", **accessor}],
    }


def values(path: Path, content: dict[str, Any], binary: bytes = DATA.tobytes(), width: int = 3) -> np.ndarray:
    return GltfValues(read_gltf(write_document(path, content, binary))).floats(0, "a mesh", width)


def test_an_accessor_is_read_by_its_offsets_and_stride(tmp_path: Path) -> None:
    np.testing.assert_array_equal(values(tmp_path / "a.glb", document()), DATA.reshape(8, 3))
    strided = document(count=3, byteOffset=4)
    strided["bufferViews"] = [{"buffer": 0, "byteOffset": 8, "byteLength": DATA.nbytes - 8, "byteStride": 24}]
    expected = [[3, 4, 5], [9, 10, 11], [15, 16, 17]]
    np.testing.assert_array_equal(values(tmp_path / "b.glb", strided), expected)


def test_normalized_integers_are_fractions(tmp_path: Path) -> None:
    data = np.array([-128, -127, 0, 127], np.int8)
    content = document(componentType=5120, type="SCALAR", count=4, normalized=True)
    content["buffers"], content["bufferViews"] = [{"byteLength": 4}], [{"buffer": 0, "byteLength": 4}]
    assert values(tmp_path / "a.glb", content, data.tobytes(), 1)[:, 0].tolist() == [-1, -1, 0, 1]


def test_sparse_values_replace_some_rows(tmp_path: Path) -> None:
    content = document(count=6)
    content["accessors"][0]["sparse"] = {
        "count": 2,
        "indices": {"bufferView": 1, "componentType": 5123},
        "values": {"bufferView": 0},
    }
    content["bufferViews"].append({"buffer": 0, "byteOffset": DATA.nbytes, "byteLength": 4})
    content["buffers"] = [{"byteLength": DATA.nbytes + 4}]
    binary = DATA.tobytes() + np.array([1, 4], np.uint16).tobytes()
    expected = DATA[:18].reshape(6, 3).copy()
    expected[[1, 4]] = DATA[:6].reshape(2, 3)
    np.testing.assert_array_equal(values(tmp_path / "a.glb", content, binary), expected)
    del content["accessors"][0]["bufferView"]
    expected[[0, 2, 3, 5]] = 0
    np.testing.assert_array_equal(values(tmp_path / "b.glb", content, binary), expected)


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a huge count": (lambda d: d["accessors"][0].update(count=2**40), "leads out of its buffer"),
    "a huge count without data": (
        lambda d: d["accessors"][0].update(count=2**40) or d["accessors"][0].pop("bufferView"),
        "more than",
    ),
    "a negative count": (lambda d: d["accessors"][0].update(count=-1), "-1 values"),
    "a fraction": (lambda d: d["accessors"][0].update(count=1.5), "1.5 values"),
    "no values": (lambda d: d["accessors"][0].update(count=0), "0 values"),
    "a negative offset": (lambda d: d["accessors"][0].update(byteOffset=-4), "damaged buffer view"),
    "a view beyond the buffer": (lambda d: d["bufferViews"][0].update(byteOffset=8), "leads out"),
    "a negative view": (lambda d: d["bufferViews"][0].update(byteOffset=-8), "damaged buffer view"),
    "a small stride": (lambda d: d["bufferViews"][0].update(byteStride=4), "damaged buffer view"),
    "a huge stride": (lambda d: d["bufferViews"][0].update(byteStride=2**50), "leads out"),
    "an unknown view": (lambda d: d["accessors"][0].update(bufferView=7), "names number 7, there are 1"),
    "a switch as number": (lambda d: d["accessors"][0].update(bufferView=True), "names number True"),
    "an unknown type": (lambda d: d["accessors"][0].update(type="VEC9"), "unknown kind"),
    "another width": (lambda d: d["accessors"][0].update(type="VEC2"), "2 numbers in each row"),
    "no table": (lambda d: d.update(accessors={"a": 1}), "not a list of objects"),
    "sparse rows beyond the end": (
        lambda d: d["accessors"][0].update(
            sparse={
                "count": 1,
                "indices": {"bufferView": 0, "componentType": 5125, "byteOffset": 8},
                "values": {"bufferView": 0},
            }
        ),
        "names row",
    ),
    "too many sparse rows": (
        lambda d: d["accessors"][0].update(
            sparse={"count": 99, "indices": {"bufferView": 0}, "values": {"bufferView": 0}}
        ),
        "99 values of 8",
    ),
    "a missing part": (lambda d: d["accessors"][0].update(sparse={"count": 1}), "incomplete"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_accessor_that_lies_is_refused(what: str, tmp_path: Path) -> None:
    change, message = BROKEN[what]
    content = document()
    change(content)
    with pytest.raises(GltfError, match=message):
        values(tmp_path / "a.glb", content)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GltfError, match="not finite"):
        values(tmp_path / "a.glb", document(), np.full(24, np.nan, np.float32).tobytes())


def test_compressed_values_are_named_as_such(tmp_path: Path) -> None:
    content = document()
    content["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": {"buffer": 0}}
    with pytest.raises(CompressedError, match="meshopt"):
        values(tmp_path / "a.glb", content)


def whole(path: Path) -> bytes:
    return little_avatar(path).read_bytes()


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    data = whole(tmp_path / "a.glb")
    (tmp_path / "a.glb").write_bytes(data[: max(1, int(len(data) * share))])
    with pytest.raises(FacetalkError, match=r"truncated|not a glTF|not valid JSON"):
        read_gltf(tmp_path / "a.glb")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack("<4sII", b"glTF", 1, 20) + bytes(20), "version 1"),
        (
            struct.pack("<4sII", b"glTF", 2, 28) + struct.pack("<I4s", 2**31, b"JSON") + bytes(8),
            "states 2147483648 bytes",
        ),
        (struct.pack("<4sII", b"glTF", 2, 28) + struct.pack("<I4s", 8, b"BIN\0") + bytes(8), "does not begin"),
        (b"\xff\xfe\xff", "not text"),
        (b"[]", "does not say its version"),
        (b'{"asset": {"version": "1.0"}}', "version '1.0'"),
        (b"{" * 200_000, "levels"),
        (b'{"asset": {"version": "2.0"}, "buffers": [{"uri": "x.bin"}]}', "how long"),
        (b'{"asset": {"version": "2.0"}, "buffers": 3}', "not a list"),
    ],
)
def test_what_is_no_gltf_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.gltf").write_bytes(content)
    with pytest.raises(FacetalkError, match=message):
        read_gltf(tmp_path / "a.gltf")


def gltf_with(path: Path, uri: str) -> Path:
    path.write_text(json.dumps({"asset": {"version": "2.0"}, "buffers": [{"byteLength": 4, "uri": uri}]}))
    return path


@pytest.mark.parametrize(
    "uri",
    ["../secret.bin", "%2e%2e/secret.bin", "sub/../../secret.bin", "/etc/passwd", "http://a/b.bin", "file:///etc/passwd",
     "C:\\a.bin", "\\\\host\\a", "link.bin", "a\0b"],
)  # fmt: skip
def test_no_file_elsewhere_is_read(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(4))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(GltfError, match="only files beside"):
        read_gltf(gltf_with(folder / "a.gltf", uri))


def test_files_beside_and_inline_data_are_read(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b/data.bin").write_bytes(b"abcd!")
    assert read_gltf(gltf_with(tmp_path / "a.gltf", "a%20b/data.bin")).buffers == (b"abcd",)
    inline = "data:application/octet-stream;base64," + base64.b64encode(b"efgh").decode()
    assert read_gltf(gltf_with(tmp_path / "b.gltf", inline)).buffers == (b"efgh",)
    with pytest.raises(GltfError, match="not base64"):
        read_gltf(gltf_with(tmp_path / "c.gltf", "data:;base64,####"))
    with pytest.raises(FacetalkError, match="no such file"):
        read_gltf(gltf_with(tmp_path / "d.gltf", "absent.bin"))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([{"children": [1]}, {"children": [0]}], "their own ancestors"),
        ([{"children": [0]}], "several parents"),
        ([{"children": [2]}, {"children": [2]}, {}], "several parents"),
        ([{"children": [5]}], "names number 5"),
        ([{"children": 5}], "not a list"),
        ([{"rotation": [0, 0, 0, 0]}], "is zero"),
        ([{"translation": [0, 0]}], "not 3 numbers"),
        ([{"scale": [1, 1, 1e300]}], "not 3 numbers"),
        ([{"matrix": ["a"] * 16}], "not 16 numbers"),
    ],
)
def test_nodes_that_are_no_trees_are_refused(nodes: list[Any], message: str, tmp_path: Path) -> None:
    path = write_document(tmp_path / "a.glb", {"asset": {"version": "2.0"}, "nodes": nodes}, b"")
    with pytest.raises(GltfError, match=message):
        read_nodes(read_gltf(path))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([{}] * 20_001, "20001 nodes"),
        ([{"children": [number + 1]} for number in range(600)] + [{}], "601 levels"),
    ],
)
def test_more_nodes_than_any_character_has_are_refused(nodes: list[Any], message: str, tmp_path: Path) -> None:
    path = write_document(tmp_path / "a.glb", {"asset": {"version": "2.0"}, "nodes": nodes}, b"")
    with pytest.raises(GltfError, match=message):
        read_nodes(read_gltf(path))


def test_more_morph_targets_than_any_face_has_are_refused(tmp_path: Path) -> None:
    def many(document: dict[str, Any]) -> None:
        document["meshes"][0]["primitives"][0]["targets"] *= 40

    with pytest.raises(GltfError, match="2080 morph targets"):
        morph_meshes(read_gltf(little_avatar(tmp_path / "a.glb", change=many)))


def test_a_matrix_is_taken_apart(tmp_path: Path) -> None:
    rotation = np.array([0.1, -0.5, 0.3, 0.8]) / np.linalg.norm([0.1, -0.5, 0.3, 0.8])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(rotation) * [2.0, 3.0, -0.5]
    matrix[:3, 3] = [1, 2, 3]
    content = {"asset": {"version": "2.0"}, "nodes": [{"matrix": matrix.T.ravel().tolist()}, {"matrix": [0] * 16}]}
    tree = read_nodes(read_gltf(write_document(tmp_path / "a.glb", content, b"")))
    np.testing.assert_allclose(tree.local[0], matrix, atol=1e-12)
    assert np.isfinite(tree.world).all()


def test_a_damaged_texture_is_refused(tmp_path: Path) -> None:
    content = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": 8}],
        "bufferViews": [{"buffer": 0, "byteLength": 8}],
    }
    content["images"] = [{"bufferView": 0, "mimeType": "image/png"}]
    path = write_document(tmp_path / "a.glb", content, b"\x89PNG\r\n\x1a\n")
    with pytest.raises(GltfError, match="cannot be read"):
        read_texture(read_gltf(path), 0, 16)
