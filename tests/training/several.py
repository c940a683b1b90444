"""What each of several processes does in `test_processes`: a run with a critic, and the same one interrupted."""

from __future__ import annotations

import sys
from pathlib import Path

from facetalk.training.loop import batches_per_step, run
from facetalk.training.processes import joined
from tests.training.test_loop import OPTIM, ContestTask, config


def main(folder: Path) -> None:
    processes = joined("cpu")
    assert batches_per_step(config(), processes) == processes.count
    for name in ("whole", "resumed"):
        (folder / name).mkdir(exist_ok=True)
    processes.wait()
    run(ContestTask(), config(), OPTIM, folder / "whole", processes=processes)
    task = ContestTask()
    task.stop_at = 37
    try:
        run(task, config(), OPTIM, folder / "resumed", processes=processes)
    except KeyboardInterrupt:
        run(ContestTask(), config(), OPTIM, folder / "resumed", resume=True, processes=processes)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
