import importlib
import subprocess
import sys

import pytest
import torch

from facetalk.audio import torchaudio_compat
from facetalk.audio.torchaudio_compat import load_torchaudio


def test_resampling_works_beside_any_torch() -> None:
    load_torchaudio()
    from torchaudio.functional import resample

    assert resample(torch.randn(4410), 44_100, 16_000).shape == (1600,)


def test_loading_twice_gives_the_same_module() -> None:
    assert load_torchaudio() is load_torchaudio()


@pytest.mark.slow
def test_an_extension_that_does_not_load_is_replaced() -> None:
    # In a process of its own: the real import is broken on purpose.
    program = """
import torch
def broken(path): raise OSError(f"Could not load this library: {path}")
torch.ops.load_library = broken
from facetalk.audio.torchaudio_compat import load_torchaudio
torchaudio = load_torchaudio()
import torchaudio.functional, torchaudio.transforms
assert not torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE
try:
    torchaudio.functional.forced_align(torch.zeros(1, 4, 3), torch.ones(1, 2, dtype=torch.long), blank=0)
except RuntimeError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout


def test_a_missing_torchaudio_is_not_papered_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "torchaudio"}
    monkeypatch.setattr(torchaudio_compat.importlib, "import_module", missing)
    try:
        with pytest.raises(ModuleNotFoundError):
            load_torchaudio()
    finally:
        sys.modules.update(kept)
    assert importlib is torchaudio_compat.importlib
