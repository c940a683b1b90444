from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from facetalk.core.errors import MissingAssetError
from facetalk.vision.face_landmarker_model import (
    INSTALL_COMMAND,
    MODEL_FILE,
    MODEL_VARIABLE,
    find_model,
    packaged_model,
)


@pytest.fixture(autouse=True)
def nothing_requested(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    packaged_model.cache_clear()
    yield
    packaged_model.cache_clear()


def install_package(folder: Path, name: str, files: list[str]) -> None:
    """Write what pip leaves of a package: its files, and the list of them."""
    info = folder / f"{name}-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n", "utf-8")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files), "utf-8")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


def test_a_path_counts_before_the_environment_and_that_before_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, named = tmp_path / "given.task", tmp_path / "named.task"
    given.touch()
    named.touch()
    site = tmp_path / "site"
    install_package(site, "faces", [f"faces/models/{MODEL_FILE}", "faces/__init__.py"])
    monkeypatch.setattr(metadata, "distributions", lambda: metadata.Distribution.discover(path=[str(site)]))
    assert find_model() == (site / "faces" / "models" / MODEL_FILE, "faces 2.0")
    monkeypatch.setenv(MODEL_VARIABLE, str(named))
    assert find_model() == (named, MODEL_VARIABLE)
    assert find_model(given) == (given, "given path")


def test_a_package_is_not_imported_to_find_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    install_package(site, "broken_faces", [f"broken_faces/{MODEL_FILE}", "broken_faces/__init__.py"])
    (site / "broken_faces" / "__init__.py").write_text("raise ImportError('needs natsort')", "utf-8")
    monkeypatch.setattr(metadata, "distributions", lambda: metadata.Distribution.discover(path=[str(site)]))
    assert find_model().origin == "broken_faces 2.0"


def test_a_package_whose_model_was_deleted_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_package(tmp_path, "faces", [f"faces/{MODEL_FILE}"])
    (tmp_path / "faces" / MODEL_FILE).unlink()
    monkeypatch.setattr(metadata, "distributions", lambda: metadata.Distribution.discover(path=[str(tmp_path)]))
    assert packaged_model() is None


def test_without_a_model_the_error_has_the_command_that_installs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distributions", list)
    with pytest.raises(MissingAssetError, match=INSTALL_COMMAND) as caught:
        find_model()
    assert caught.value.exit_code == 3


def test_a_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "none.task"))
    with pytest.raises(MissingAssetError, match=rf"none\.task \({MODEL_VARIABLE}\)"):
        find_model()
