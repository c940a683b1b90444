"""Speech to motion: every talker with its encoder, on recordings of several lengths."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.base import EXAMPLES, Comparison, Options, in_turns
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.audio import read_waveform
from facetalk.io.weights import is_bundled
from facetalk.talkers.registry import TALKERS, load_talker


def measure(options: Options) -> Comparison:
    """Compare all installed talkers at all lengths; what is linear costs the same per second at each."""
    talkers = {name: load_talker(name) for name in TALKERS if is_bundled(name)}
    figures = {}
    for seconds in options.seconds:
        waveform = spoken(seconds)
        work = {f"{name}, {seconds:g} s": partial(talker.speak, waveform) for name, talker in talkers.items()}
        spent = in_turns(work, options.repeats)
        figures |= {name: 1000 * value / seconds for name, value in spent.items()}
    return Comparison("second of audio", dict(sorted(figures.items(), key=lambda figure: figure[0].partition(",")[0])))


def spoken(seconds: float) -> Tensor:
    """The example recording, repeated up to this length."""
    waveform = read_waveform(EXAMPLES / "speech.wav")
    count = round(seconds * SAMPLE_RATE)
    return torch.cat([waveform] * -(-count // len(waveform)))[:count]
