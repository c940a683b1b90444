"""What a command imports before it does anything: seconds depend on the machine, modules do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.test_animate import make_speech

NOT_FOR_MOTION = {
    "PIL.JpegImagePlugin", "cv2", "matplotlib", "mediapipe", "numba", "pocketsphinx", "rich", "scenedetect", "scipy",
    "torchaudio", "transformers", "trimesh",
    "facetalk.fitters.landmarks", "facetalk.networks.face_encoder", "facetalk.networks.published",
    "facetalk.recipes", "facetalk.rendering.renderer", "facetalk.tracking",
    "facetalk.training",
    # Parts of what is deferred: they load with the whole, which importtime names where it is deferred too.
    "torch._decomp.decompositions", "torch._prims.rng_prims", "torch._refs.linalg", "torch.export.exported_program",
}  # fmt: skip
NOT_FOR_HELP = {*NOT_FOR_MOTION, "facetalk.pipelines", "facetalk.talkers", "jaxtyping", "numpy", "torch"}


def imported(*arguments: str) -> set[str]:
    """Names of the modules that a run of the program imports."""
    command = [sys.executable, "-X", "importtime", "-m", "facetalk", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("command", ["", "animate", "fit", "render"])
def test_help_imports_nothing_heavy(command: str) -> None:
    assert not imported(*command.split(), "--help") & NOT_FOR_HELP


def test_a_motion_from_speech_imports_only_what_it_needs(tmp_path: Path) -> None:
    speech = make_speech(tmp_path / "speech.wav", seconds=0.5)
    loaded = imported("animate", str(speech), "--format", "npz", "-o", str(tmp_path))
    assert (tmp_path / "speech/speech.npz").is_file()
    assert "torch" in loaded
    assert not loaded & NOT_FOR_MOTION


def test_no_garbage_is_collected_while_a_command_is_imported() -> None:
    code = """
import gc
from facetalk.__main__ import spare_imports
from facetalk.core.light_torch import defer_parts_of_torch
def collections():
    return sum(generation["collections"] for generation in gc.get_stats())
before = collections()
spare_imports()
defer_parts_of_torch()
import facetalk.pipelines.animate_table
assert collections() == before, collections()
held = [[] for _ in range(400_000)]
assert collections() > before and gc.get_threshold()[0] == 50_000 and not gc.callbacks
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_motion_is_the_same_bytes_with_all_of_torch(tmp_path: Path) -> None:
    speech = make_speech(tmp_path / "speech.wav", seconds=0.5)
    whole = "import facetalk.core.light_torch as light; light.defer_parts_of_torch = lambda: None"
    start = "from facetalk.__main__ import main; main()"
    made = []
    for name, code in (("light", start), ("whole", f"{whole}; {start}")):
        folder = tmp_path / name
        subprocess.run(
            [sys.executable, "-c", code, "animate", str(speech), "--format", "npz", "-o", str(folder)], check=True
        )
        made.append((folder / "speech/speech.npz").read_bytes())
    assert made[0] == made[1]
