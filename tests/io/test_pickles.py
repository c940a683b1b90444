"""Pickles give arrays, whoever wrote them, and run nothing."""

from __future__ import annotations

import contextlib
import copyreg
import io
import os
import pickle
import pickletools
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io import pickles
from facetalk.io.pickles import read_arrays
from tests.io.flame_files import stand_in_chumpy


class Marker:
    """Pickles as a call that writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


class Calls:
    """Pickles as any call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_kind_and_protocol_come_back(tmp_path: Path, protocol: int) -> None:
    plain = np.arange(12.0).reshape(3, 4)
    values = {
        "plain": plain,
        "by_column": np.asfortranarray(plain).astype(np.float32),
        "unsigned": np.arange(6, dtype=np.uint32),
        "swapped": plain.astype(">f8"),
        "csc": scipy.sparse.csc_matrix(plain * (plain > 4)),
        "csr": scipy.sparse.csr_matrix(plain * (plain > 4)),
        "coo": scipy.sparse.coo_matrix(plain * (plain > 4)),
        "tensor": torch.arange(6).reshape(2, 3).T,
        "number": np.float64(2.5),
        "text": "lbs",
        "nested": {"list": [np.arange(2), 3]},
        "objects": np.array([np.arange(3), np.arange(2)], object),
    }
    path = tmp_path / "values.pkl"
    path.write_bytes(pickle.dumps(values, protocol))
    read = read_arrays(path)
    for name in ("plain", "by_column", "unsigned", "swapped"):
        np.testing.assert_array_equal(read[name], values[name])
    for name in ("csc", "csr", "coo"):
        np.testing.assert_array_equal(read[name], plain * (plain > 4))
    np.testing.assert_array_equal(read["tensor"], values["tensor"].numpy())
    assert read["number"] == 2.5 and read["text"] == "lbs" and read["nested"]["list"][1] == 3
    assert [len(part) for part in read["objects"]] == [3, 2]


def test_python_2_pickles_with_byte_strings_come_back(tmp_path: Path) -> None:
    # As Python 2 wrote it: protocol 2, byte strings for keys and for the array's memory.
    numbers = np.array([1.5, -2.0, 3e300])
    raw = numbers.tobytes()
    text = (
        b"\x80\x02}U\x0av_template" + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x03\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(raw)]) + raw + b"tbs."
    )
    pickletools.dis(text, io.StringIO())
    path = tmp_path / "old.pkl"
    path.write_bytes(text)
    np.testing.assert_array_equal(read_arrays(path)["v_template"], numbers)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_chumpy_objects_are_read_without_chumpy(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "chumpy.pkl"
    with stand_in_chumpy() as ch:
        path.write_bytes(pickle.dumps({"v_template": ch(np.arange(6.0).reshape(2, 3))}, protocol))
    np.testing.assert_array_equal(read_arrays(path)["v_template"], np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("protocol", range(6))
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    path, trace = tmp_path / "evil.pkl", tmp_path / "it_ran"
    path.write_bytes(pickle.dumps({"v_template": np.zeros(3), "J": Marker(trace)}, protocol))
    with pytest.raises(FacetalkError, match=r"would run (posix|nt|os)\.mkdir.*refused") as caught:
        read_arrays(path)
    assert str(path) in str(caught.value) and not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists(), "the same file does run code where nothing guards"


@pytest.mark.parametrize(
    "call",
    [
        Calls(eval, "1"),
        Calls(getattr, "x", "upper"),
        Calls(np.load, "x.npy"),
        Calls(np.fromfile, "/dev/null"),
        Calls(torch.load, "x"),
        Calls(__import__, "os"),
        Calls(scipy.sparse.load_npz, "x"),
    ],
)
def test_every_other_function_is_refused(tmp_path: Path, call: Calls) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"a": call}, 2))
    with pytest.raises(FacetalkError, match="would run"):
        read_arrays(path)


def test_names_inside_allowed_modules_are_no_way_out(tmp_path: Path) -> None:
    for module, name in (("numpy.core.multiarray", "_reconstruct.__globals__"), ("builtins", "object.__subclasses__"),
                         ("chumpy.ch", "depends_on"), ("torch.storage", "UntypedStorage.from_file")):  # fmt: skip
        path = tmp_path / "evil.pkl"
        path.write_bytes(b"\x80\x04\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)])
                         + name.encode() + b"\x93.")  # fmt: skip
        with pytest.raises(FacetalkError, match="would run"):
            read_arrays(path)


def test_memory_cannot_be_forged_as_objects(tmp_path: Path) -> None:
    # Raw bytes under an object dtype would be taken for addresses by NumPy itself.
    path = tmp_path / "forged.pkl"
    path.write_bytes(
        b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x01\x85cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R\x89U\x08AAAAAAAAtbs."
    )
    read = read_arrays(path)["a"]
    assert not isinstance(read, np.ndarray) and all(not callable(item) for item in read)


def test_npz_and_pickled_npy_files_go_through_the_same_gate(tmp_path: Path) -> None:
    np.savez(tmp_path / "good.npz", a=np.arange(3), b=np.array(scipy.sparse.eye(2, format="csc"), object))
    read = read_arrays(tmp_path / "good.npz")
    np.testing.assert_array_equal(read["b"], np.eye(2))
    np.save(tmp_path / "good.npy", np.array({"lmk_face_idx": np.arange(51)}, object), allow_pickle=True)
    assert len(read_arrays(tmp_path / "good.npy")["lmk_face_idx"]) == 51
    trace = tmp_path / "it_ran"
    np.savez(tmp_path / "evil.npz", a=np.array([Marker(trace)], object))
    np.save(tmp_path / "evil.npy", np.array({"a": Marker(trace)}, object), allow_pickle=True)
    for name in ("evil.npz", "evil.npy"):
        with pytest.raises(FacetalkError, match="would run"):
            read_arrays(tmp_path / name)
    assert not trace.exists()


def test_broken_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(MissingAssetError, match="no file"):
        read_arrays(tmp_path / "none.pkl")
    for name, content in {"empty.pkl": b"", "text.pkl": b"hello", "cut.pkl": pickle.dumps({"a": np.zeros(9)})[:-20],
                          "list.pkl": pickle.dumps([1, 2])}.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FacetalkError, match=name):
            read_arrays(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "cut.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(FacetalkError, match=r"cut\.npz"):
        read_arrays(tmp_path / "cut.npz")


def op(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


@pytest.mark.parametrize(
    "content",
    [
        op(b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R"),  # STACK_GLOBAL
        op(name("builtins", "eval"), b"\x8c\x011\x85R"),
        op(name("posix", "system"), b"\x8c\x04true\x85\x81"),  # NEWOBJ
        op(b"(\x8c\x04true", b"iposix\nsystem\n"),  # INST
        op(b"(", name("os", "system"), b"\x8c\x04trueo"),  # OBJ
        op(b"}\x8c\x01a", name("functools", "partial"), b")R\x85s"),  # nested
        op(b"Pname\n"),  # PERSID
        op(name("_codecs", "encode"), b"N}\x8c\x0c__defaults__\x8c\x03hex\x85s\x86b"),  # BUILD on a function
        op(name("_codecs", "encode"), b"\x8c\x01a\x8c\x05rot13\x86R"),
        op(name("copyreg", "_reconstructor"), name("builtins", "dict"), name("builtins", "object"), b"N\x87R"),
    ],
)
def test_every_instruction_that_reaches_for_code_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(content)
    with pytest.raises(FacetalkError, match="would run"):
        read_arrays(path)


def test_registered_extensions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(op(b"\x82\xef", b"\x8c\x04true\x85R"))  # EXT1 239
    copyreg.add_extension("os", "system", 239)
    try:
        with pytest.raises(FacetalkError, match="unregistered extension"):  # of the process that reads
            read_arrays(path)
    finally:
        copyreg.remove_extension("os", "system", 239)


def test_arrays_of_objects_do_not_hide_code(tmp_path: Path) -> None:
    trace, path = tmp_path / "it_ran", tmp_path / "evil.pkl"
    inner = pickle.dumps(Marker(trace), 2)
    path.write_bytes(pickle.dumps({"a": np.array([[Marker(trace)], [None]], object), "b": inner}, 2))
    with pytest.raises(FacetalkError, match="would run"):
        read_arrays(path)
    path.write_bytes(pickle.dumps({"b": np.array(inner, object), "c": inner}))
    assert read_arrays(path)["c"] == inner, "bytes stay bytes"
    storage = (
        b"\x80\x02ctorch.storage\n_load_from_bytes\n" + b"B" + len(inner).to_bytes(4, "little") + inner + b"\x85R."
    )
    path.write_bytes(storage)
    with pytest.raises(FacetalkError):
        read_arrays(path)
    assert not trace.exists()


def lists_of_lists(depth: int) -> list:
    inner: list = [0]
    for _ in range(depth):
        inner = [inner] * 10
    return inner


def endless() -> list:
    own: list = []
    own.append(own)
    return own


def large_sparse() -> scipy.sparse.coo_matrix:
    return scipy.sparse.coo_matrix(([1.0], ([0], [0])), (300_000, 300_000))


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"a": lists_of_lists(30)}),
        pickle.dumps({"a": endless()}),
        pickle.dumps({"a": large_sparse()}),
        pickle.dumps({"a": torch.zeros(1).expand(2**31)}),
        b"\x80\x04\x8e" + (2**45).to_bytes(8, "little") + b"aaa.",  # BINBYTES8 of 32 TiB
        op(name("numpy.core.multiarray", "scalar"), name("numpy", "dtype"), b"\x8c\x02f8K\x00K\x01\x87R",
           b"\x8a\x06" + (2**44).to_bytes(6, "little"), b"\x86R"),
    ],
    ids=["lists", "endless", "sparse", "strides", "bytes", "scalar"],
)  # fmt: skip
def test_small_files_do_not_fill_the_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "flood.pkl"
    path.write_bytes(content)
    with pytest.raises(FacetalkError, match=r"flood\.pkl cannot be read") as caught:
        read_arrays(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04}r\x00\x84\xd7\x17.",  # a place in the memo for which gigabytes would be reserved
        b"\x80\x04}" + b")" + b"\x85" * 300_000 + b"K\x01s.",  # the hash of a tuple, 300 000 levels deep
        b"\x80\x04}" + b"K\x01\x85" + b"2\x86" * 40 + b"K\x01s.",  # a hash over 2^40 values
    ],
    ids=["memo", "deep", "doubling"],
)
def test_pickles_that_end_or_hang_an_interpreter_do_not_end_this_one(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickles, "LEAST_SECONDS", 1)
    path = tmp_path / "bomb.pkl"
    path.write_bytes(content)
    start = time.perf_counter()
    if content.endswith(b"\x17."):
        with contextlib.suppress(FacetalkError):  # some systems reserve memory that is never used
            assert read_arrays(path) == {}
    else:
        with pytest.raises(FacetalkError, match=r"bomb\.pkl cannot be read"):
            read_arrays(path)
    assert time.perf_counter() - start < 60
