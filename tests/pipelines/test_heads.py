"""Installing, listing and drawing heads."""

from __future__ import annotations

import hashlib
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facetalk.cli.app import app
from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.head.model import HeadModel
from facetalk.io.installed import installed_heads
from facetalk.motion.heads import load_head_assets
from facetalk.pipelines import heads as pipeline
from facetalk.pipelines.head_sheet import show_head
from facetalk.pipelines.heads import install_head, list_heads, remove_head
from tests.conftest import make_toy_head
from tests.io.gnm_files import gnm_like, write_gnm
from tests.io.serving import served

runner = CliRunner()


@pytest.fixture(autouse=True)
def private_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def gnm_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gnm")
    (folder / "LICENSE").write_text("Apache License, as it came", "utf-8")
    return write_gnm(gnm_like(load_head_assets("facetalk")), folder)


def test_an_installed_head_works_by_its_name(gnm_path: Path, private_data: Path) -> None:
    checksum = hashlib.sha256(gnm_path.read_bytes()).hexdigest()
    installed = install_head(str(gnm_path), name="google", sha256=checksum.upper())
    assert installed.kind == "gnm" and installed.sha256 == checksum and installed.path.is_file()
    record = json.loads((private_data / "facetalk" / "heads" / "google" / "head.json").read_text("utf-8"))
    assert record["license"].startswith("Apache") and "as it came" in record["license_text"]
    assert load_head_assets("google").name == "google"
    assert [head.name for head in list_heads()] == ["facetalk", "google"]
    with pytest.raises(FacetalkError, match="installed already"):
        install_head(str(gnm_path), name="google")
    install_head(str(gnm_path.parent), name="google", overwrite=True)
    remove_head("google")
    assert not installed_heads()
    with pytest.raises(UsageError, match=r"unknown head 'google'; known heads: facetalk"):
        load_head_assets("google")


@pytest.mark.slow
def test_a_flame_file_is_installed_with_what_lies_beside_it(flame_like_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "FLAME2023Open"
    folder.mkdir()
    (folder / "flame2023_Open.pkl").write_bytes(flame_like_path.read_bytes())
    (folder / "FLAME_masks.pkl").write_bytes(pickle.dumps({"lips": np.arange(7)}, 2))
    installed = install_head(str(folder))
    assert installed.name == "flame2023_Open" and installed.kind == "flame"
    assert sorted(path.name for path in installed.folder.iterdir()) == [
        "FLAME_masks.pkl",
        "flame2023_Open.pkl",
        "head.json",
    ]
    assert len(load_head_assets("flame2023_Open").points.regions["lips"]) == 7


@pytest.mark.parametrize(
    "source",
    ["https://flame.is.tue.mpg.de/download.php", "https://download.is.tue.mpg.de/x.zip", "flame.is.tue.mpg.de"],
)
def test_where_one_must_register_nothing_is_fetched(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "download", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(MissingAssetError, match=r"registered users only: register at.*facetalk heads install PATH"):
        install_head(source)


def test_pages_stand_for_the_files_they_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def fetch(address: str, folder: Path, **_: object) -> Path:
        fetched.append(address)
        return folder / "nothing"

    monkeypatch.setattr(pipeline, "download", fetch)
    for source in ("https://github.com/ICT-VGL/ICT-FaceKit.git", "github.com/ICT-VGL/ICT-FaceKit/",
                   "https://huggingface.co/google/gnm-v3", "https://example.org/head.npz"):  # fmt: skip
        with pytest.raises(MissingAssetError, match="nothing at"):
            install_head(source)
    assert [address.rpartition("/")[2] for address in fetched] == ["HEAD.zip", "HEAD.zip", "gnm_head.npz", "head.npz"]
    with pytest.raises(MissingAssetError, match="nothing at /nowhere"):
        install_head("/nowhere/head.pkl")


def test_a_head_is_fetched_checked_and_installed(gnm_path: Path, tmp_path: Path, private_data: Path) -> None:
    packed = tmp_path / "site" / "release.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(gnm_path, "model-1/v3_0/gnm_head.npz")
        archive.writestr("model-1/LICENSE", "The license at the top")
    checksum = hashlib.sha256(packed.read_bytes()).hexdigest()
    with served(packed.parent) as address:
        with pytest.raises(FacetalkError, match=r"release\.zip has the SHA-256"):
            install_head(f"{address}/release.zip", sha256="0" * 64)
        assert not installed_heads()
        installed = install_head(f"{address}/release.zip", name="google", sha256=checksum)
    assert installed.source == f"{address}/release.zip" and "at the top" in installed.license_text
    assert installed.sha256 == hashlib.sha256(gnm_path.read_bytes()).hexdigest()
    assert load_head_assets("google").name == "google"
    assert install_head(str(packed), name="again").kind == "gnm", "an archive on disk does as well"
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(UsageError, match="contains no known head model"):
        install_head(str(tmp_path / "empty.zip"))


def test_what_cannot_be_used_is_not_installed(gnm_path: Path, tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match="has the SHA-256"):
        install_head(str(gnm_path), sha256="0" * 64)
    with pytest.raises(UsageError, match="bundled head"):
        install_head(str(gnm_path), name="facetalk")
    with pytest.raises(UsageError, match="not a valid name for a head"):
        install_head(str(gnm_path), name="../away")
    with pytest.raises(UsageError, match="unknown kind"):
        install_head(str(gnm_path), kind="smpl")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UsageError, match="is not a known head model"):
        install_head(str(tmp_path / "other.npz"))
    with pytest.raises(UsageError, match="is not a known head model"):
        install_head(str(tmp_path))
    assert not installed_heads()


def test_a_contact_sheet_has_a_picture_of_everything(tmp_path: Path) -> None:
    head = HeadModel(make_toy_head())
    reported: list[tuple[int, int]] = []
    path = show_head(
        head, tmp_path / "toy.png", cell=40, progress=lambda _, done, total: reported.append((done, total))
    )
    count = 3 + 52 + 3
    assert reported[-1] == (count, count)
    with Image.open(path) as sheet:
        assert sheet.size == (400, 6 * (40 + 16))
    with pytest.raises(FacetalkError, match="exists already"):
        show_head(head, path)
    with pytest.raises(UsageError, match="PNG"):
        show_head(head, tmp_path / "toy.jpg")


@pytest.mark.slow
def test_the_commands_do_the_same(gnm_path: Path, tmp_path: Path) -> None:
    result = runner.invoke(app, ["heads", "install", str(gnm_path), "--name", "google", "--json"])
    assert result.exit_code == 0 and json.loads(result.stdout)["name"] == "google"
    listed = runner.invoke(app, ["heads", "list", "--json"])
    assert [head["name"] for head in json.loads(listed.stdout)] == ["facetalk", "google"]
    assert json.loads(runner.invoke(app, ["heads", "--json"]).stdout) == json.loads(listed.stdout)
    assert runner.invoke(app, ["heads", "remove", "google"]).exit_code == 0
    assert runner.invoke(app, ["heads", "remove", "google"]).exit_code == 2
    assert runner.invoke(app, ["heads", "install", "https://flame.is.tue.mpg.de"]).exit_code == 3
    drawn = runner.invoke(app, ["heads", "show", "-o", str(tmp_path / "own.png"), "--size", "32", "--json"])
    assert drawn.exit_code == 0 and Path(json.loads(drawn.stdout)["picture"]).is_file()
