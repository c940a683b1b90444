"""Archives unpack into their folder and nowhere else."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io import archives
from facetalk.io.archives import is_archive, unpack
from facetalk.io.sandbox import Limits


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


def test_headers_of_any_length_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_LIMITS", Limits(memory_bytes=48 << 20))
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tarfile.TarInfo("x")
        info.type, info.size = kind, 2 << 30
        path = tmp_path / "a.tar.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(info.tobuf(tarfile.GNU_FORMAT))
            for _ in range(4):  # 64 MiB of the two gigabytes: more than the memory that the process gets
                file.write(bytes(1 << 24))
        with pytest.raises(FacetalkError, match=r"a\.tar\.gz cannot be read: it takes more memory"):
            unpack(path, tmp_path / "out")


@pytest.mark.slow
def test_what_is_compressed_beyond_any_mesh_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", ("a", bytes(300 << 20)))
    with pytest.raises(FacetalkError, match="unpacks to more than 256 MiB"):
        unpack(path, tmp_path / "out")


def test_folders_count_as_files_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(20_001):
            archive.writestr(f"{number}/", "")
    with pytest.raises(FacetalkError, match="more than 20000 files and folders"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_a_terminal_or_a_file_system_would_choke_on_are_refused(tmp_path: Path) -> None:
    for number, name in enumerate(("\x1b[31mred", "a\nb", "/".join("d" * 30))):
        with pytest.raises(FacetalkError, match="no head model has") as caught:
            unpack(packed(tmp_path / f"{number}.zip", (name, b"x")), tmp_path / "out")
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_archives_cut_short_say_so(tmp_path: Path, method: int) -> None:
    noise = random.Random(0).randbytes(50_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a", noise)
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:1000] + bytes(1000) + whole[2000:])
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as tar:
        info = tarfile.TarInfo("a")
        info.size = len(noise)
        tar.addfile(info, io.BytesIO(noise))
    whole = (tmp_path / "a.tar.xz").read_bytes()
    (tmp_path / "a.tar.xz").write_bytes(whole[: len(whole) // 2])
    for name in ("a.zip", "a.tar.xz"):
        with pytest.raises(FacetalkError, match="is not an archive that can be unpacked") as caught:
            unpack(tmp_path / name, tmp_path / f"out_{name}")
        assert "\n" not in str(caught.value)
