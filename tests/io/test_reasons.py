from __future__ import annotations

import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io.archives import unpack
from facetalk.io.pickles import read_arrays
from facetalk.pipelines.heads import install_head

_WHOLE = pickle.dumps({"v_template": np.zeros((50, 3))}, protocol=2)
_ENCRYPTED = 1
"""Flag of an entry of a zip file, 6 bytes after its local mark and 8 after the one in the directory."""


def encrypt(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x03\x04") + 6] |= _ENCRYPTED
    data[data.index(b"PK\x01\x02") + 8] |= _ENCRYPTED
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_WHOLE[: len(_WHOLE) // 2], "it ends early"),
        (b"\x80\x02", "it ends early"),
        (b"hello world, this is text\n", "it is not a readable pickle"),
        (b"\xff" * 100, "it is not a readable pickle"),
        (b"\x80\x02" + b"]" * 900 + b"a" * 899 + b".", "its structure is too deep"),
    ],
)
def test_a_broken_pickle_is_described_in_plain_words(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "head.pkl").write_bytes(data)
    with pytest.raises(FacetalkError, match=rf"head\.pkl cannot be read \({reason}\)"):
        read_arrays(tmp_path / "head.pkl")


def test_encrypted_archives_are_called_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "head.zip", "w") as archive:
        archive.writestr("head.txt", "hello")
    with pytest.raises(FacetalkError, match=r"\(it is encrypted\); unpack it yourself"):
        unpack(encrypt(tmp_path / "head.zip"), tmp_path / "out")
    np.savez(tmp_path / "head.npz", a=np.zeros(3))
    with pytest.raises(FacetalkError, match=r"it is encrypted\)"):
        read_arrays(encrypt(tmp_path / "head.npz"))


def test_an_error_about_a_model_in_an_archive_names_the_archive(tmp_path: Path) -> None:
    (tmp_path / "generic_model.pkl").write_bytes(_WHOLE[:-40])
    with tarfile.open(tmp_path / "broken.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "generic_model.pkl", "FLAME/generic_model.pkl")
    with pytest.raises(FacetalkError) as caught:
        install_head(str(tmp_path / "broken.tar.xz"))
    assert str(caught.value).startswith(f"{tmp_path / 'broken.tar.xz'}: FLAME/generic_model.pkl cannot be read")
    assert "unpacked" not in str(caught.value)
