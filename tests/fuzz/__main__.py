"""Run many mutated files in a process that is watched: `python -m tests.fuzz --count 4000 --seed 0`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.cases import judge, write_seeds
from tests.fuzz.kinds import KINDS

MOST_S, MOST_BYTES = 60.0, 3 << 30
"""Limits of one file: time, and the memory of the process with the processes that it starts."""


def work(seeds: Path, folder: Path) -> None:
    """Judge the cases named on standard input; runs in the process that is watched."""
    for line in sys.stdin:
        name, seed = json.loads(line)
        verdict = judge(seeds, name, seed, folder / f"{name} {seed}")
        print(json.dumps(verdict), flush=True)


def memory(pid: int) -> int:
    """Resident bytes of a process and of all below it (Linux)."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        resident[int(entry.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    waiting, total = [pid], 0
    while waiting:
        own = waiting.pop()
        total += resident.get(own, 0)
        waiting += children.get(own, [])
    return total


class Worker:
    """The process that reads the files; it is started again after it was ended."""

    def __init__(self, seeds: Path, folder: Path) -> None:
        self._command = [sys.executable, "-m", "tests.fuzz", "--work", str(seeds), str(folder)]
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def run(self, name: str, seed: int) -> tuple[str, str, float, int]:
        """Result, message, seconds and largest memory of one case."""
        process, start, peak, answer = self._process, time.monotonic(), 0, ""
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([name, seed]) + "\n")
        process.stdin.flush()
        while not answer.endswith("\n"):
            answer += process.stdout.readline() or ""
            seconds = time.monotonic() - start
            if seconds > 0.2:  # quick files cannot fill the memory
                peak = max(peak, memory(process.pid))
            if seconds > MOST_S or peak > MOST_BYTES or process.poll() is not None:
                code = process.poll()
                process.kill()
                process.wait()
                self._start()
                return ("crash" if code is not None else "limit"), f"exit code {code}", seconds, peak
            time.sleep(0.005)
        result, message = json.loads(answer)
        return result, message, time.monotonic() - start, peak

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def cases(count: int, seed: int, only: str) -> Iterator[tuple[str, int]]:
    """Kinds in turn, each with seeds of its own."""
    if only:
        name, _, number = only.rpartition(":")
        yield name, int(number)
        return
    names = list(KINDS)
    for index in range(count):
        yield names[index % len(names)], 1_000_000 * seed + index // len(names)


def main() -> int:
    """Print a line for each broken case and a summary; the exit code is 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="KIND:SEED", help="one case, such as 'mp4:17'")
    parser.add_argument("--work", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work)
        return 0
    results: Counter[str] = Counter()
    slowest, largest, broken = (0.0, ""), (0, ""), 0
    with tempfile.TemporaryDirectory() as made:
        write_seeds(Path(made) / "seeds")
        worker = Worker(Path(made) / "seeds", Path(made) / "work")
        for name, seed in cases(arguments.count, arguments.seed, arguments.only):
            result, message, seconds, peak = worker.run(name, seed)
            results[result] += 1
            slowest, largest = max(slowest, (seconds, f"{name}:{seed}")), max(largest, (peak, f"{name}:{seed}"))
            if result not in ("read", "refused"):
                broken += 1
                print(f"{result} {name}:{seed} after {seconds:.1f} s, {peak >> 20} MiB\n{message}", flush=True)
            elif arguments.only:
                print(result, message)
        worker.close()
    print(f"{sum(results.values())} files: {dict(results)}; slowest {slowest[0]:.1f} s ({slowest[1]}), "
          f"largest {largest[0] >> 20} MiB ({largest[1]})")  # fmt: skip
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
