"""Modules that load on first use: parts of a library that it always imports and most programs never touch.

`importlib.util.LazyLoader` is no help: `inspect.getmodule` asks every module of `sys.modules` for its file, which loads
them all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from threading import Lock
from types import ModuleType
from typing import Any, NamedTuple


class Deferral(NamedTuple):
    """What comes with a module that is to be deferred."""

    parts: tuple[str, ...] = ()
    """Modules that it alone imports, so that they are missed without it. They are deferred with it, and the use of one
    loads it first, as it may fill what they hold. Those that do not exist or whose package is not loaded are left out.
    """
    then: Callable[[], None] | None = None
    """Called once it is deferred: it sees to uses that do not mention the module."""


def defer_imports(modules: Mapping[str, Deferral]) -> None:
    """Let modules load on first use, in this process.

    An import of one yields an object that becomes the module once an attribute of it is read or set, or a module in it
    is imported. Names without a module of Python code, and modules that are loaded already, are left alone.
    """
    sys.meta_path.insert(0, _Finder(modules))  # type: ignore[arg-type]


class DeferredModule(ModuleType):
    """Stands for a module until it is used, then becomes it.

    Loading is left to the import system, whose locks make other threads wait, notice deadlocks, and let the modules of
    a circular import see one another half done.
    """

    def __getattr__(self, name: str) -> Any:
        if _is_inspection(self, name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        _load(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("__"):
            _load(self)  # which would overwrite it later
        ModuleType.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        _load(self)
        return list(ModuleType.__dir__(self))


def _is_inspection(module: ModuleType, name: str) -> bool:
    """Whether asking for a name is no use: a special one, other than what `import *` and imports of parts ask for."""
    special = name.startswith("__") and name.endswith("__")
    return special and name != "__all__" and not (name == "__path__" and _is_package(module))


def _is_package(module: ModuleType) -> bool:
    return module.__spec__ is not None and module.__spec__.submodule_search_locations is not None


def _load(module: ModuleType) -> None:
    for finder in sys.meta_path:
        if isinstance(finder, _Finder) and finder.holds(module.__name__):
            finder.load(module.__name__)


class _Finder:
    """Finds modules that are to be deferred, and those again once they are used."""

    def __init__(self, modules: Mapping[str, Deferral]) -> None:
        self._modules = {part: Deferral() for deferral in modules.values() for part in deferral.parts} | dict(modules)
        self._whole = {part: name for name, deferral in modules.items() for part in deferral.parts}
        self._waiting: dict[str, ModuleType] = {}
        self._loading: dict[str, ModuleType] = {}
        self._moving = Lock()

    def find_spec(
        self, name: str, path: Iterable[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Part of the protocol of the import system, which gives a target where it reloads."""
        if target is None and name in sys.modules and name.rpartition(".")[0] in self._modules:
            # To import a part of a deferred package, the import system asked for its `__path__`, which loaded the
            # package, which imported that part.
            return ModuleSpec(name, _Loaded(sys.modules[name]))  # type: ignore[arg-type]
        if target is not None:
            self._move(name)
        module = self._loading.get(name)
        if name not in self._modules or (module is None and target is not None):
            return None
        spec = self._spec(name, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader | SourcelessFileLoader):
            loader = spec.loader
            spec.loader = _Deferring(loader, self) if module is None else _Filling(loader, self, module)  # type: ignore[assignment]
            return spec
        return None

    def _spec(self, name: str, path: Iterable[str] | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path)  # type: ignore[arg-type]
            if spec is not None:
                return spec
        return None

    def defer(self, module: ModuleType) -> None:
        """Note what was imported, to be loaded later."""
        self._waiting[module.__name__] = module
        parts, then = self._modules[module.__name__]
        for part in parts:
            if part.rpartition(".")[0] in sys.modules:
                with suppress(ModuleNotFoundError):
                    import_module(part)
        if then is not None:
            then()

    def holds(self, name: str) -> bool:
        """Whether it was deferred and is not complete yet."""
        return name in self._waiting or name in self._loading

    def load(self, name: str) -> None:
        """Load a deferred module, or wait until the thread that is at it has loaded it."""
        whole = self._whole.get(name)
        if whole is not None and self.holds(whole):
            self.load(whole)
        if self._move(name):
            sys.modules.pop(name, None)
        import_module(name)

    def _move(self, name: str) -> bool:
        with self._moving:
            if name not in self._waiting:
                return False
            self._loading[name] = self._waiting.pop(name)
            return True

    def end(self, module: ModuleType) -> None:
        """Note that a module is complete."""
        del self._loading[module.__name__]
        module.__class__ = ModuleType


class _Deferring:
    """Loader that leaves a module for later."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self.loader, self.finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        _show_loader(module, self.loader)
        if _is_package(module):
            del module.__path__
        self.finder.defer(module)


class _Filling(_Deferring):
    """Loader that turns a deferred module into the real one."""

    def __init__(self, loader: Any, finder: _Finder, module: ModuleType) -> None:
        super().__init__(loader, finder)
        self.module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        if spec.submodule_search_locations is not None:
            self.module.__path__ = spec.submodule_search_locations
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        _show_loader(module, self.loader)
        self.loader.exec_module(module)
        self.finder.end(module)


class _Loaded:
    """Loader of a module that is there."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


def _show_loader(module: ModuleType, loader: Any) -> None:
    module.__loader__ = loader
    if module.__spec__ is not None:
        module.__spec__.loader = loader
