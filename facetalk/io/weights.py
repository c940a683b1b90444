"""Bundled weights, safetensors files and configurations."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import yaml
from safetensors.torch import load_file, save
from torch import Tensor, nn

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.text import is_unicode, unicode_name
from facetalk.core.text_values import MOST_CHARACTERS, parse_yaml
from facetalk.io.files import replacing, what_is

MODEL_FILE, CONFIG_FILE = "model.safetensors", "config.yaml"
"""What a folder of weights holds: tensors, and a description of the network that they belong to."""

CHECKPOINT_FILE = "checkpoint.pt"
"""What the folder of a run holds from its first checkpoint on."""

FETCH, TRAIN = "fetch it again", "train it again"
"""What to do about a damaged file: of somebody else, and of one's own."""

LARGEST = 1e6
"""Of the values of a network; those of trained ones stay far below."""

_PACKAGE = Path(__file__).resolve().parent.parent


def weights_dir() -> Path:
    """The folder of bundled weights: inside an installed package, else beside it in a checkout."""
    installed = _PACKAGE / "_weights"
    return installed if installed.is_dir() else _PACKAGE.parent / "weights"


def is_bundled(name: str) -> bool:
    """Whether the weights of one model came with facetalk."""
    return (weights_dir() / name / MODEL_FILE).is_file()


def bundled(name: str) -> Path:
    """Folder of one bundled model."""
    folder = weights_dir() / name
    if not is_bundled(name):
        known = sorted(path.parent.name for path in weights_dir().glob(f"*/{MODEL_FILE}"))
        raise MissingAssetError(
            f"no weights named {name!r} in {weights_dir()}; there are: {', '.join(known) or 'none'}"
        )
    return folder


def completing(run_dir: Path) -> str:
    """What to do about a run that lacks what its training writes at the end."""
    unfinished = (run_dir / CHECKPOINT_FILE).is_file()
    return "its training has not ended: continue it with facetalk train --resume" if unfinished else TRAIN


def read_tensors(path: Path, remedy: str = FETCH) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and text metadata of a safetensors file.

    Args:
        path: the file.
        remedy: what the error says is to be done about a damaged one.
    """
    metadata = read_metadata(path, remedy)
    try:
        with _named_in_unicode(path) as opened:
            return load_file(opened), metadata
    except (safetensors.SafetensorError, OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise _unreadable(path, error, remedy) from None


def read_metadata(path: Path, remedy: str = FETCH) -> dict[str, str]:
    """Text metadata of a safetensors file; arguments as for `read_tensors`."""
    if path.exists() and not path.is_file():
        raise FacetalkError(f"{path} is {what_is(path)}, not a safetensors file")
    try:
        with _named_in_unicode(path) as opened, safetensors.safe_open(opened, "pt") as file:
            return dict(file.metadata() or {})
    except FileNotFoundError:
        raise MissingAssetError(f"no weights at {path}") from None
    except (safetensors.SafetensorError, OSError, ValueError, OverflowError, MemoryError) as error:
        raise _unreadable(path, error, remedy) from None


@contextmanager
def _named_in_unicode(path: Path) -> Iterator[Path]:
    """The file under a name that safetensors takes, which wants Unicode."""
    if is_unicode(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "tensors"
        link.symlink_to(path.absolute())
        yield link


def _unreadable(path: Path, error: BaseException, remedy: str) -> FacetalkError:
    reason = " ".join(str(error).split())[:150]
    return FacetalkError(f"{path} is not a readable safetensors file ({reason}); {remedy}")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file in one step."""
    with replacing(path) as temporary:
        # Not save_file, which hides the file from other users.
        described = {name: unicode_name(text) for name, text in (metadata or {}).items()}
        temporary.write_bytes(save({name: value.contiguous() for name, value in tensors.items()}, described))


def read_state(folder: Path) -> dict[str, Tensor]:
    """The parameters and buffers in a model's folder; stored in half precision, used in single.

    Raises:
        FacetalkError: the file cannot be read, or holds values that no training leaves behind.
    """
    remedy = FETCH if folder.absolute().is_relative_to(weights_dir()) else TRAIN
    tensors, _ = read_tensors(folder / MODEL_FILE, remedy)
    for name, value in tensors.items():
        if value.is_floating_point() and value.numel() and not float(value.abs().max()) <= LARGEST:  # NaN as well
            raise FacetalkError(
                f"{folder / MODEL_FILE}: {name[:80]!r} holds values that are not finite or beyond {LARGEST:g}; "
                f"the weights are damaged: {remedy}"
            )
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def write_model(folder: Path, model: nn.Module, kind: str, method: str, sections: Mapping[str, Any]) -> None:
    """Write the folder of one network: `model.safetensors`, large tensors in half precision, and `config.yaml`.

    Args:
        folder: an existing folder.
        model: the network whose parameters and buffers are written.
        kind: what the network is for, as in the table of `networks.registry`, whose `load` reads the folder.
        method: how it was made; tells apart networks of one kind.
        sections: further entries of `config.yaml`, plain values only: `network` holds the network's own configuration,
            others its inputs.
    """
    state = {name: value.half() if value.numel() > 1000 else value for name, value in model.state_dict().items()}
    write_tensors(folder / MODEL_FILE, state, {"method": method})
    with replacing(folder / CONFIG_FILE) as temporary:
        described = {"kind": kind, "method": method, **sections}
        temporary.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")


def read_config(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping of plain values."""
    if path.exists() and not path.is_file():
        raise FacetalkError(f"{path} is {what_is(path)}, not a configuration file")
    try:
        with path.open("rb") as file:
            text = file.read(4 * MOST_CHARACTERS + 1).decode("utf-8")
    except FileNotFoundError:
        raise FacetalkError(f"no configuration file at {path}") from None
    except UnicodeDecodeError:
        raise FacetalkError(f"{path} is not valid YAML: it is not a text in UTF-8") from None
    value = parse_yaml(text, str(path))
    if not isinstance(value, dict):
        raise FacetalkError(f"{path} holds {type(value).__name__}, not a mapping of options")
    return value
