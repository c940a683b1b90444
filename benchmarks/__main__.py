"""`python -m benchmarks`: measure, and print the figures as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence

from benchmarks.base import Options
from benchmarks.registry import BENCHMARKS, load_benchmark
from facetalk.core.threads import one_torch_thread, usable_cores
from facetalk.core.version import __version__


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure what facetalk costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all if omitted")
    parser.add_argument("--seconds", default="5,60,600", help="lengths of the recordings (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=Options.frames, help="frames to render (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=Options.repeats, help="the fastest counts (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    options = Options(tuple(float(part) for part in given.seconds.split(",")), given.frames, given.repeats)
    figures = {}
    with one_torch_thread():
        for name in given.names or BENCHMARKS:
            print(name, file=sys.stderr)
            figures[name] = load_benchmark(name)(options).document()
    machine = {"cores": usable_cores(), "load": os.getloadavg()[0], "machine": platform.machine()}
    print(json.dumps({"facetalk": __version__, "python": platform.python_version(), **machine, **figures}, indent=2))


if __name__ == "__main__":
    main()
