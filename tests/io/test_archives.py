"""Archives unpack into their folder and nowhere else."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io.archives import is_archive, unpack


def packed(path: Path, *entries: tuple[str, bytes] | tarfile.TarInfo | zipfile.ZipInfo) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in entries:
                archive.writestr(*(entry if isinstance(entry, tuple) else (entry, b"/etc/passwd")))  # type: ignore[arg-type]
        return path
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            if isinstance(entry, tuple):
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                archive.addfile(info, io.BytesIO(entry[1]))
            else:
                archive.addfile(entry)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_files_come_out_where_they_were(tmp_path: Path, suffix: str) -> None:
    path = packed(tmp_path / f"a{suffix}", ("x/model.npz", b"one"), ("x/y/LICENSE", b"two"))
    assert is_archive(path) and not is_archive(tmp_path / "model.npz")
    unpack(path, tmp_path / "out")
    assert (tmp_path / "out/x/model.npz").read_bytes() == b"one" and (
        tmp_path / "out/x/y/LICENSE"
    ).read_bytes() == b"two"


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ["../away", "x/../../away", "/away", "x\\..\\..\\away", "c:away"])
def test_names_do_not_lead_out(tmp_path: Path, suffix: str, name: str) -> None:
    with pytest.raises(FacetalkError, match="leads out of the folder"):
        unpack(packed(tmp_path / f"a{suffix}", (name, b"no")), tmp_path / "out")
    assert not (tmp_path / "away").exists() and not (tmp_path / "out").exists()


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with pytest.raises(FacetalkError, match="link or device 'link'"):
        unpack(packed(tmp_path / "a.zip", link, ("link/x", b"no")), tmp_path / "out")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        info = tarfile.TarInfo("thing")
        info.type, info.linkname = kind, "/etc/passwd"
        with pytest.raises(FacetalkError, match="link or device 'thing'"):
            unpack(packed(tmp_path / "a.tar.gz", info), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_flood_is_stopped(tmp_path: Path) -> None:
    path = packed(tmp_path / "bomb.zip", ("a", bytes(3 << 20)))
    assert path.stat().st_size < 10_000
    with pytest.raises(FacetalkError, match=r"unpacks to more than 2 MiB"):
        unpack(path, tmp_path / "out", most_bytes=2 << 20)


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar.gz", "a.tgz"):
        (tmp_path / name).write_bytes(b"hello")
        with pytest.raises(FacetalkError, match="not an archive"):
            unpack(tmp_path / name, tmp_path / "out")
