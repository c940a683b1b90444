"""Which options made an output: in the metadata of a motion file, for other formats in a hidden file next to it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from facetalk.core.errors import FacetalkError
from facetalk.core.text import unicode_name
from facetalk.io.audio_clip import AudioClip
from facetalk.io.files import replacing
from facetalk.io.motion import read_motion
from facetalk.io.weights import MODEL_FILE

_ENDING = ".made.json"
_END_BYTES = 2**20
"""How much of the start and of the end of a file its fingerprint covers."""


def fingerprint(path: Path) -> str:
    """A short text that tells apart files with other content, without reading all of a long one."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_END_BYTES))
        if size > _END_BYTES:
            file.seek(max(_END_BYTES, size - _END_BYTES))
            digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:16]


def fingerprints(options: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprints of the files among some options, as `audio_fingerprint` and so on; of weights for their folder."""
    values = {name: value.path if isinstance(value, AudioClip) else value for name, value in options.items()}
    paths = {name: Path(value) for name, value in values.items() if isinstance(value, str | Path)}
    paths = {name: path / MODEL_FILE if path.is_dir() else path for name, path in paths.items()}
    return {f"{name}_fingerprint": fingerprint(path) for name, path in paths.items() if path.is_file()}


def recorded(value: Any) -> Any:
    """An option as a record has it: files by their names in Unicode."""
    return unicode_name(str(value)) if isinstance(value, Path | AudioClip) else value


def wanted_targets(
    targets: Mapping[str, Path],
    options: Callable[[str], Mapping[str, Any]],
    overwrite: bool,
    skip_existing: bool,
) -> tuple[dict[str, Path], str]:
    """Which outputs of one input are to be made, and why existing ones are made again.

    Args:
        targets: path of each format.
        options: what decides the output of a format.
        overwrite: make all.
        skip_existing: make those that are missing, and those that other options made.

    Raises:
        FacetalkError: an output exists, and neither was asked for.
    """
    there = {name: path for name, path in targets.items() if path.exists()}
    if there and not (overwrite or skip_existing):
        path = next(iter(there.values()))
        raise exists_already(path)
    if not skip_existing:
        return dict(targets), ""
    reasons = {name: why_outdated(path, options(name)) for name, path in there.items()}
    wanted = {name: path for name, path in targets.items() if reasons.get(name, "it is missing")}
    return wanted, "; ".join(dict.fromkeys(reason for reason in reasons.values() if reason))


def exists_already(path: Path) -> FacetalkError:
    """What is wrong where an output exists and nobody has said what to do with it."""
    return FacetalkError(f"{path} exists already; --overwrite replaces it, --skip-existing keeps it")


def why_outdated(path: Path, options: Mapping[str, Any]) -> str:
    """How the options that made an output differ from the wanted ones; empty if they do not, or if nothing is known.

    Args:
        path: an existing output.
        options: the wanted ones; an option that is not recorded does not count.
    """
    made = _read_record(path)
    if made is None:
        made = read_motion(path).meta if path.suffix == ".npz" else {}
    return differences(made, options)


def differences(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Options with other values, as in `seed was 3, now 7`."""
    told = []
    for name, value in json.loads(json.dumps(dict(wanted), default=str)).items():
        if name not in made or made[name] == value:
            continue
        if isinstance(value, Mapping) and isinstance(made[name], Mapping):
            inner = differences(made[name], value)
            told += [inner] if inner else []
        elif name.endswith("_fingerprint"):
            told.append(f"the file of {name.removesuffix('_fingerprint')} has changed")
        else:
            told.append(f"{name} was {_shown(made[name])}, now {_shown(value)}")
    return "; ".join(told)


def _shown(value: object) -> object:
    return "the default" if value is None else value


def write_record(outputs: Mapping[Path, Mapping[str, Any]]) -> None:
    """Note which options made some outputs of one input, which lie in one folder and share a stem."""
    if not outputs:
        return
    path = _record_path(next(iter(outputs)))
    entries = _entries(path) | {unicode_name(output.name): dict(options) for output, options in outputs.items()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(entries, indent=1, default=str) + "\n", encoding="utf-8")


def is_output(path: Path) -> bool:
    """Whether a file was made here, so that a search in folders does not take it for an input."""
    return _read_record(path) is not None


def _read_record(path: Path) -> dict[str, Any] | None:
    entry = _entries(_record_path(path)).get(unicode_name(path.name))
    return entry if isinstance(entry, dict) else None


def _record_path(output: Path) -> Path:
    stem = output.name[: -len("_obj")] if output.name.endswith(("_obj", "_ply")) else output.stem
    if len(os.fsencode(stem)) > 200:  # with the ending, the name would be too long
        stem = hashlib.sha256(os.fsencode(stem)).hexdigest()[:32]
    return output.with_name(f".{stem}{_ENDING}")


def _entries(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}
