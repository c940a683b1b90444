"""Files come whole, over safe ways only, or not at all."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io.download import download
from tests.io.serving import served


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "head.npz").write_bytes(bytes(range(256)) * 9000)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_file_comes_as_it_is(site: Path, out: Path) -> None:
    reported = []
    with served(site) as address:
        path = download(
            f"{address}/head.npz?download=1", out, progress=lambda _, done, total: reported.append((done, total))
        )
        pointed = download(f"{address}/to?{address}/head.npz", out)
    assert path == out / "head.npz" and path.read_bytes() == (site / "head.npz").read_bytes() == pointed.read_bytes()
    assert reported[-1] == (256 * 9000, 256 * 9000) and len(reported) == 3


def test_what_cannot_be_fetched_leaves_nothing_behind(site: Path, out: Path) -> None:
    with served(site) as address:
        with pytest.raises(MissingAssetError, match="the server says 404"):
            download(f"{address}/none.npz", out)
        with pytest.raises(MissingAssetError, match=r"ended after 1152000 of 2304000 bytes|cannot be downloaded"):
            download(f"{address}/cut/head.npz", out)
        with pytest.raises(FacetalkError, match="has 2 MiB, more than the 1 MiB"):
            download(f"{address}/head.npz", out, most_bytes=1 << 20)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/head.npz"
        with pytest.raises(MissingAssetError, match="check the network, or download it yourself") as caught:
            download(closed, out)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 3
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/a.npz",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "http://127.0.0.1.example.org/a",
        "data:,a",
    ],
)
def test_only_https_leaves_this_machine(address: str, site: Path, out: Path) -> None:
    with pytest.raises(FacetalkError, match="only https"):
        download(address, out)
    with served(site) as own, pytest.raises(FacetalkError, match=r"only https|is not allowed"):
        download(f"{own}/to?{address}", out)
