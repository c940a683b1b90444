"""Arrays of other people: what NumPy writes comes back, and no header is believed before the data is there."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facetalk.io.npy import ArrayFileError, PickledArrayError, read_npy, read_npz, write_npz

KINDS = ["<f4", ">f8", "<f2", "|b1", "|i1", "<u8", ">i4", "<U7", "|S3"]


def made(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    numbers = np.asarray(np.random.default_rng(0).integers(0, 100, shape))
    return np.asarray(numbers > 50) if kind == "|b1" else numbers.astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 4), (2, 3, 4)])
def test_what_numpy_writes_comes_back(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    values = {"a": made(kind, shape), "by_column": np.asarray(made(kind, shape), order="F")}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **values)
        for name, back in read_npz(tmp_path / "a.npz").items():
            assert back.dtype == values[name].dtype and back.shape == shape
            np.testing.assert_array_equal(back, values[name])
    np.save(tmp_path / "a.npy", values["by_column"])
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), values["by_column"])


def test_archives_have_the_bytes_of_numpy(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "rows": np.random.default_rng(0).normal(size=(40_000, 13)).astype(np.float32),
        "empty": np.zeros((0, 3)),
        "number": np.int64(7),
        "text": "a text \u00e9 \U0001f600 \ud800 " * 100_000,
        "no_text": "",
        "names": np.array(["a", "bc"]),
        "flags": np.arange(5) > 2,
        "every_second": np.arange(20)[::2],
    }
    np.savez_compressed(tmp_path / "numpy.npz", **values)
    write_npz(tmp_path / "ours.npz", values)
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()


def npy(header: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


def described(descr: str = "'<f4'", order: Any = False, shape: str = "(3,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an array"),
        (b"\x93NUMPY\x09\x00", "unknown version 9"),
        (b"\x93NUMPY\x01\x00\x10", "header is truncated"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "header has 2147483647 bytes"),
        (npy("{" * 3000), "header is damaged"),
        (npy("-" * 9000 + "1"), "header is damaged"),
        (npy(described(shape="(True, 3)")), "header is damaged"),
        (npy(described(shape="(" + "9" * 5000 + ")")), "header is damaged"),
        (npy(described(shape="(" + "9" * 190 + ")")), "header is damaged"),
        (npy(described(shape="(3 3)")), "header is damaged"),
        (npy(described(shape="(1,1,1,1,1,1,1,1,1)")), "header is damaged"),
        (npy(described(shape="(-1, 3)")), "header is damaged"),
        (npy(described(shape="(1000000, 1000000)")), "states 4000000000000 bytes of data, there are 0"),
        (npy(described(shape="(0, 999999999999, 999999999999)")), "the shape"),
        (npy(described("'<U2000000000'", shape="(1,)"), bytes(64)), "kind '<U2000000000'"),
        (npy(described("'<U9000000'", shape="(1,)"), bytes(64)), "states 36000000 bytes of data, there are 64"),
        (npy(described("'<U0'", shape="(999999999999,)")), "kind '<U0'"),
        (npy(described("'<M8[s]'"), bytes(24)), "kind '<M8"),
        (npy(described("[('a', '<f4')]"), bytes(12)), "header is damaged"),
        (npy(described(), bytes(11)), "states 12 bytes of data, there are 11"),
        (npy(described("'<U1'", shape="(1,)"), b"\xff\xff\xff\xff"), "no characters"),
        (npy(described("'<U1'", shape="(1,)"), b"\x00\xd8\x00\x00"), "no characters"),
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_filled(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ArrayFileError, match=reason):
        read_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(ArrayFileError, match=reason):
        read_npz(tmp_path / "a.npz")


def test_headers_as_other_programs_write_them_are_read(tmp_path: Path) -> None:
    for shape in ("(3,)", "(3L,)", "( 3 , )", "(3)", "(1L, 3L)", "(1,3,)"):
        (tmp_path / "a.npy").write_bytes(npy(f"{{'shape':{shape},'descr':'<f4','fortran_order':False}}", bytes(12)))
        assert read_npy(tmp_path / "a.npy").size == 3


def test_pickled_objects_are_named_as_such(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([{}], object))
    with pytest.raises(PickledArrayError):
        read_npz(tmp_path / "a.npz")


def test_an_array_that_is_not_asked_for_may_not_lie_either(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("more.npy", npy(described(shape="(12000000000,)")))
    with pytest.raises(ArrayFileError, match="states 48000000000 bytes of data, there are 0"):
        read_npz(tmp_path / "a.npz", names=("a",))


def test_the_total_of_an_archive_is_limited_before_anything_is_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1 << 18, np.uint8), b=np.zeros(1 << 20, np.uint8))
    with pytest.raises(ArrayFileError, match="it unpacks to 1 MiB; at most 1 are read"):
        read_npz(tmp_path / "a.npz", most_bytes=1 << 20)
    assert read_npz(tmp_path / "a.npz", names=("a",), most_bytes=1 << 20)["a"].size == 1 << 18


def test_what_is_compressed_beyond_any_motion_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(65 << 20, np.uint8))
    with pytest.raises(ArrayFileError, match="it unpacks to 65 MiB; at most 64 are read"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compression_that_numpy_does_not_write_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("a.npy", npy(described(), bytes(12)))
    with pytest.raises(ArrayFileError, match="compressed in a way that NumPy does not use"):
        read_npz(tmp_path / "a.npz")


def test_damaged_archives_say_so(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).random(500))
    whole = path.read_bytes()
    encrypted = bytearray(whole)
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        encrypted[whole.index(mark) + flags] |= 1
    directory = whole.index(b"PK\1\2")
    future = bytearray(whole)
    future[directory + 6] = 145
    cases = [bytes(encrypted), bytes(future), whole[:-30], whole[:200] + bytes(100) + whole[300:], whole[50:]]
    for case in cases:
        path.write_bytes(case)
        with pytest.raises(ArrayFileError) as caught:
            read_npz(path)
        assert "\n" not in str(caught.value)


def test_an_array_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("a.npy", npy(described(), bytes(12)))
    with pytest.raises(ArrayFileError, match="holds 'a' twice"):
        read_npz(tmp_path / "a.npz")


def test_a_directory_of_many_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(ArrayFileError, match="a directory of"):
        read_npz(tmp_path / "a.npz")
