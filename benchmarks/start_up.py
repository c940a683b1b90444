"""Programs from nothing: torch, whole and as the program loads it, an interpreter, the help, and a motion file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.base import Comparison, Options, in_turns
from benchmarks.talkers import spoken
from facetalk.io.audio import write_wav

SECONDS = 20.0
_DEFER = "from facetalk.core.light_torch import defer_parts_of_torch; defer_parts_of_torch()"


def measure(options: Options) -> Comparison:
    """Compare whole processes."""
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        write_wav(speech, spoken(SECONDS))
        motion = ["animate", str(speech), "--format", "npz", "-o", folder, "--overwrite"]
        work = {
            "import torch": partial(run, "-c", "import torch"),
            "import torch, deferred parts left out": partial(run, "-c", f"{_DEFER}; import torch"),
            "an interpreter": partial(run, "-c", "pass"),
            "facetalk --help": partial(run, "-m", "facetalk", "--help"),
            "facetalk animate --format npz": partial(run, "-m", "facetalk", *motion),
        }
        spent = in_turns(work, options.repeats)
    return Comparison("run", {name: 1000 * value for name, value in spent.items()})


def run(*arguments: str) -> None:
    """Run Python to its end, with the byte code of facetalk kept, as that of an installed package is."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)
