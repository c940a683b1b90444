"""How long a stream takes to its first frames once the audio is there, and for each tenth of a second after that."""

from __future__ import annotations

from benchmarks.base import Comparison, Options, processor_s
from benchmarks.talkers import spoken
from facetalk.core.threads import one_torch_thread
from facetalk.pipelines.animate_jobs import AnimateOptions
from facetalk.pipelines.live import LiveAnimator, load_live_animator
from facetalk.talkers.sessions import STEP


def measure(options: Options) -> Comparison:
    """Compare the first frames of 0.4 s of audio, the last tenth of it alone, and the usual step later on."""
    animator = load_live_animator(AnimateOptions(laughter=0))
    with one_torch_thread():
        runs = [spent_in(animator) for _ in range(options.repeats + 1)][1:]
    names = ("0.4 s at once", "the last 0.1 s of them", "0.1 s later on")
    return Comparison(
        "piece", {name: 1000 * min(times) for name, times in zip(names, zip(*runs, strict=True), strict=True)}
    )


def spent_in(animator: LiveAnimator) -> tuple[float, float, float]:
    """Processor time of the first 0.4 s at once, of the last tenth of these, and of a later tenth, seconds."""
    pieces = spoken(1.0).split(STEP)
    whole = animator.start()
    start = processor_s()
    frames = whole.feed(spoken(0.4)).num_frames
    at_once = processor_s() - start
    assert frames > 0
    session, spent = animator.start(), []
    for piece in pieces:
        start = processor_s()
        session.feed(piece)
        spent.append(processor_s() - start)
    return at_once, spent[3], spent[-1]
