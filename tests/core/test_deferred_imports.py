"""Modules that load on first use, in packages of the tests."""

from __future__ import annotations

import importlib
import inspect
import pickle
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facetalk.core.deferred_imports import Deferral, DeferredModule, defer_imports

LIBRARY = {
    "__init__.py": "from library import heavy, package\n",
    "heavy.py": """
        import sys
        sys.runs.append(__name__)
        from library import helper
        value = 1
        class Thing:
            pass
    """,
    "helper.py": """
        import sys
        sys.runs.append(__name__)
        from library import heavy
        seen = hasattr(heavy, "value")
    """,
    "package/__init__.py": """
        import sys
        sys.runs.append(__name__)
        __all__ = ["value"]
        value = 2
        from library.package import part
    """,
    "package/part.py": "import sys\nsys.runs.append(__name__)\n",
    "package/other.py": "import sys\nsys.runs.append(__name__)\n",
    "tables.py": "import sys\nsys.runs.append(__name__)\nrows = []\n",
    "filling.py": "import sys\nsys.runs.append(__name__)\nfrom library.tables import rows\nrows.append(3)\n",
    "slow.py": "import sys, time\nsys.runs.append(__name__)\nearly = 4\ntime.sleep(0.2)\nlate = 5\n",
    "broken.py": "import sys\nsys.runs.append(__name__)\nif len(sys.runs) < 2: raise OSError('disk')\nvalue = 6\n",
}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the modules of `library` that have run, in order."""
    for name, text in LIBRARY.items():
        path = tmp_path / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    before = list(sys.meta_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "runs", [], raising=False)
    yield sys.runs  # type: ignore[attr-defined]
    sys.meta_path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == "library"]:
        del sys.modules[name]


def deferred(*names: str) -> ModuleType:
    """The library, after modules of it were deferred."""
    defer_imports({f"library.{name}": Deferral() for name in names})
    return importlib.import_module("library")


def test_a_deferred_module_runs_on_first_use_and_then_is_the_real_one(runs: list[str]) -> None:
    library = deferred("heavy", "package")
    heavy = sys.modules["library.heavy"]
    assert isinstance(heavy, DeferredModule) and heavy is library.heavy and not runs
    assert heavy.value == 1
    assert runs == ["library.heavy", "library.helper"]
    assert type(heavy) is ModuleType and sys.modules["library.heavy"] is heavy is library.heavy
    assert isinstance(heavy.__loader__, SourceFileLoader) and heavy.__spec__.loader is heavy.__loader__
    assert heavy.__file__ == str(Path(library.__path__[0]) / "heavy.py")
    with pytest.raises(AttributeError, match=r"module 'library\.heavy' has no attribute 'nothing'"):
        _ = heavy.nothing


USES: dict[str, Callable[[], Any]] = {
    "from": lambda: importlib.import_module("library.package").value,
    "star": lambda: exec("from library.package import *\nassert value == 2", {}),
    "loaded part": lambda: exec("import library.package.part\nassert library.package.part", {}),
    "other part": lambda: exec("from library.package.other import __name__", {}),
    "list": lambda: "value" in dir(sys.modules["library.package"]) or pytest.fail(),
    "reload": lambda: importlib.reload(sys.modules["library.package"]).value,
    "path": lambda: sys.modules["library.package"].__path__,
}


@pytest.mark.parametrize("use", USES)
def test_every_kind_of_use_runs_a_package_once(runs: list[str], use: str) -> None:
    library = deferred("package")
    runs.clear()
    USES[use]()
    assert runs == ["library.package", "library.package.part", *["library.package.other"] * (use == "other part")]
    part = sys.modules["library.package.part"]
    assert type(library.package) is ModuleType and library.package.part is part
    assert part.__spec__ is not None and isinstance(part.__spec__.loader, SourceFileLoader)


def test_inspection_is_no_use(runs: list[str]) -> None:
    library = deferred("heavy", "package")
    inspect.getmodule(library)
    for module in list(sys.modules.values()):
        getattr(module, "__warningregistry__", None)
    assert not hasattr(library.heavy, "__path__") and not runs


def test_what_is_set_before_the_first_use_stays(runs: list[str]) -> None:
    library = deferred("heavy")
    library.heavy.value = "patched"
    assert library.heavy.value == "patched" and "library.heavy" in runs


def test_modules_of_a_circular_import_see_one_another_half_done(runs: list[str]) -> None:
    library = deferred("heavy")
    assert library.heavy.helper.seen is False and runs.count("library.heavy") == 1


def test_classes_are_pickled_by_name(runs: list[str]) -> None:
    deferred("heavy")
    name = b"clibrary.heavy\nThing\n."
    assert pickle.loads(name) is sys.modules["library.heavy"].Thing


def test_parts_are_deferred_too_and_load_the_whole_first(runs: list[str]) -> None:
    defer_imports({"library.filling": Deferral(("library.tables", "library.absent", "elsewhere.part"))})
    filling = importlib.import_module("library.filling")
    tables = sys.modules["library.tables"]
    runs.clear()
    assert tables.rows == [3] and runs == ["library.filling", "library.tables"]
    assert type(filling) is ModuleType


def test_a_function_is_called_once_a_module_is_deferred(runs: list[str]) -> None:
    called: list[str] = []
    defer_imports({"library.slow": Deferral(then=lambda: called.append("now"))})
    importlib.import_module("library.slow")
    assert called == ["now"] and "library.slow" not in runs


def test_other_threads_wait_for_the_whole_module(runs: list[str]) -> None:
    deferred("slow")
    slow = importlib.import_module("library.slow")

    def use(number: int) -> int:
        time.sleep(0.05 * number)
        return slow.early + slow.late

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))) == [9] * 4
    assert runs.count("library.slow") == 1


def test_a_module_that_fails_is_tried_again_at_the_next_use(runs: list[str]) -> None:
    deferred("broken", "heavy", "package")
    broken = importlib.import_module("library.broken")
    with pytest.raises(OSError, match="disk"):
        _ = broken.value
    assert broken.value == 6 and runs == ["library.broken"] * 2


def test_names_without_a_module_are_left_alone(runs: list[str]) -> None:
    deferred("absent", "heavy")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'library\.absent'"):
        importlib.import_module("library.absent")
    assert not isinstance(sys.modules["library"], DeferredModule)
