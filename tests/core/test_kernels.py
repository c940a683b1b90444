"""Kernels compile wherever the program runs; what is out of the ordinary is said once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, no_type_check

import numba
import numpy as np
import pytest

from facetalk.core import folders, kernels
from facetalk.core.kernels import FINITE_MATH, compiled, kernel_cache


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A package that nobody can write to, and no home."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(kernels, "_PACKAGE", tmp_path / "file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file/cache"))
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    for function in (kernels.kernel_cache, kernels._used_cache):
        function.cache_clear()
    yield
    numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
    os.environ.pop(kernels.VARIABLE, None)
    for function in (kernels.kernel_cache, kernels._used_cache):
        function.cache_clear()


def test_the_folder_of_the_user_is_the_first_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(kernels.VARIABLE, str(tmp_path / "mine"))
    assert kernel_cache() == (tmp_path / "mine", "")


def test_the_cache_of_the_user_replaces_a_read_only_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert kernel_cache() == (tmp_path / "home/facetalk/kernels", "")
    kernel_cache.cache_clear()
    monkeypatch.setenv(kernels.VARIABLE, str(tmp_path / "file/mine"))
    found = kernel_cache()
    assert found.folder == tmp_path / "home/facetalk/kernels"
    assert "NUMBA_CACHE_DIR" in found.problem and "cannot be written to" in found.problem


def test_without_a_home_a_private_temporary_folder_is_used_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tmp").mkdir()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            np.testing.assert_array_equal(compile_double()(np.arange(3)), [0, 2, 4])
    (record,) = caplog.records
    folder = tmp_path / "tmp" / f"facetalk-{os.getuid()}"
    assert str(folder) in record.getMessage()
    assert folder.stat().st_mode & 0o077 == 0
    assert list(folder.rglob("*.nbi")), "the kernels are kept there"


def test_a_temporary_folder_that_others_could_write_to_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "tmp" / f"facetalk-{os.getuid()}").mkdir(parents=True, mode=0o777)
    (tmp_path / "tmp" / f"facetalk-{os.getuid()}").chmod(0o777)
    assert kernel_cache().folder is None


def test_without_any_folder_kernels_compile_without_a_cache(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(compile_double()(np.arange(3)), [0, 2, 4])
    (record,) = caplog.records
    assert "compiles its kernels anew" in record.getMessage() and "set NUMBA_CACHE_DIR" in record.getMessage()


def test_a_full_disk_only_costs_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(kernels.VARIABLE, str(tmp_path / "mine"))
    double, tried = compile_double(), []

    def fail(*_: Any) -> None:
        tried.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(double._cache._cache_file, "save", fail)
    np.testing.assert_array_equal(double(np.arange(3)), [0, 2, 4])
    assert tried


def test_the_doctor_says_where_kernels_are_kept(tmp_path: Path) -> None:
    from facetalk.pipelines.doctor import _compiler_cache

    finding = _compiler_cache()
    assert finding.state == "optional" and "set NUMBA_CACHE_DIR" in finding.advice
    kernel_cache.cache_clear()
    (tmp_path / "tmp").mkdir()
    finding = _compiler_cache()
    assert finding.state == "optional" and finding.found == str(tmp_path / "tmp" / f"facetalk-{os.getuid()}")


def compile_double() -> Any:
    @compiled(nogil=True)
    @no_type_check
    def double(values):
        return 2 * values

    return double


@pytest.mark.parametrize(
    "name", ["facetalk.rendering.shading", "facetalk.rendering.antialias", "facetalk.head.skinning_kernel"]
)
def test_no_kernel_may_reorder_sums_which_would_depend_on_the_cache(name: str) -> None:
    found = [value for value in vars(import_module(name)).values() if hasattr(value, "targetoptions")]
    assert found
    assert all(kernel.targetoptions.get("fastmath", False) in (False, FINITE_MATH) for kernel in found)


@pytest.mark.slow
def test_kernels_load_the_linear_algebra_of_scipy_only_to_multiply_matrices(tmp_path: Path) -> None:
    program = tmp_path / "program.py"  # kernels without a file are not cached
    program.write_text("""
import sys
import numpy as np
from facetalk.core.kernels import compiled

def total(x):
    return x.sum()

def product(x):
    return x @ x

loaded = ["scipy.linalg" in sys.modules]
for function, expected in ((total, 4.0), (product, np.full((2, 2), 2.0))):
    np.testing.assert_allclose(compiled()(function)(np.ones((2, 2))), expected)
    loaded.append("scipy.linalg" in sys.modules)
print(*loaded)
""")
    environment = {**os.environ, "PYTHONPATH": str(Path(kernels.__file__).parents[2]), kernels.VARIABLE: str(tmp_path)}
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout, done.returncode) == ("False False True\n", 0), done.stderr
