"""What all pipelines over many inputs share: outcomes, their reporting, and which outputs are up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from facetalk.core.engines import LOCAL, each_with
from facetalk.core.errors import FacetalkError, InvalidValueError, UsageError
from facetalk.core.progress import INPUTS, Progress
from facetalk.data.sources import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from facetalk.exporters.registry import FORMATS
from facetalk.io.files import keeping, make_folder
from facetalk.io.path_list import as_path

State = Literal["done", "skipped", "failed"]
Job = TypeVar("Job")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one input."""

    source: Path
    state: State
    files: Mapping[str, Path] = field(default_factory=dict)
    """Written files by format or role; of a skipped input, those that were kept."""
    error: FacetalkError | None = None
    """Why it failed."""
    redone: str = ""
    """Why existing outputs were made again."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Figures of this pipeline, such as the duration."""
    row: Mapping[str, Any] | None = None
    """Row of the manifest of a dataset; not part of any report."""
    place: int = 0
    """Among the inputs of the batch, whichever is finished first."""


Report = Callable[[Outcome], None]
"""Called with each outcome as soon as it is known."""


def no_report(outcome: Outcome) -> None:
    """Ignore an outcome."""


def failed(source: Path, error: FacetalkError) -> Outcome:
    """The outcome of an input that cannot be used."""
    return Outcome(source, "failed", error=error)


def check_batch_flags(skip_existing: bool, overwrite: bool) -> None:
    """Raise a UsageError for flags that exclude each other."""
    if skip_existing and overwrite:
        raise UsageError("--skip-existing and --overwrite exclude each other")


def jobs_of(jobs: int | None, engine: str) -> int | None:
    """Number of inputs at the same time, where one after the other is the default on a single machine.

    Raises:
        UsageError: there is no such engine, or no such number.
        MissingAssetError: the engine is not installed.
    """
    each_with(engine)
    if jobs is not None and not (isinstance(jobs, int) and jobs >= 1):
        raise UsageError(f"jobs is {jobs!r:.80}; it is the number of inputs at the same time, at least 1")
    return 1 if jobs is None and engine == LOCAL else jobs


def run_batch(
    work: Callable[[Job], Outcome],
    jobs: Mapping[Path, Job],
    settled: Iterable[Outcome],
    report: Report,
    progress: Progress,
    processes: int | None = 1,
    engine: str = LOCAL,
) -> list[Outcome]:
    """Process many inputs; one that fails does not stop the others.

    Args:
        work: makes the outputs of one input; a user's error becomes its outcome. Module-level for several processes.
        jobs: what is to be done, by input.
        settled: outcomes that are known already; reported first.
        report: called with each outcome at once, so that it is known what was done if the run ends early.
        progress: called with the number of finished inputs as the step `INPUTS`, first with those that were known.
        processes: see `each_in_parallel`.
        engine: see `each_with`.

    Returns:
        The outcomes in the order of the inputs, those that were known first.
    """
    outcomes: list[Outcome] = []

    def settle(outcome: Outcome, place: int) -> None:
        outcome = replace(outcome, place=place)
        outcomes.append(outcome)
        report(outcome)

    known = list(settled)
    total = len(known) + len(jobs)
    for place, outcome in enumerate(known):
        settle(outcome, place)
    progress(INPUTS, len(known), total)
    sources = {id(job): (source, place) for place, (source, job) in enumerate(jobs.items(), len(known))}
    # Closed at once, also where reporting fails, so that workers end before the caller goes on.
    with closing(each_with(engine)(work, list(jobs.values()), processes)) as results:
        for job, result in results:
            source, place = sources[id(job)]
            if isinstance(result, InvalidValueError):  # about values in memory: it names no file
                result = InvalidValueError(f"{source}: {result}")
            settle(failed(source, result) if isinstance(result, FacetalkError) else result, place)
            progress(INPUTS, len(outcomes), total)
    return sorted(outcomes, key=lambda outcome: outcome.place)


OUTPUT_SUFFIXES = frozenset(
    {
        *(entry.suffix for entry in FORMATS.values() if not entry.is_sequence),
        *(f".{alias}" for entry in FORMATS.values() for alias in entry.aliases),
        *AUDIO_SUFFIXES, *VIDEO_SUFFIXES,
        *(".obj", ".ply", ".usdc", ".gltf", ".fbx", ".gif", ".png", ".jpg", ".jpeg"),
        *(".txt", ".json", ".jsonl", ".html", ".yaml", ".yml", ".zip", ".safetensors"),
    }
)  # fmt: skip
"""Endings by which a user means a file."""


def check_output_folder(out: Path | str | None, takes: str = "a folder") -> None:
    """Refuse a file where a folder is meant: one that exists, or a name that is a file's.

    Args:
        out: as given; None is any default.
        takes: what may be given, for the message.

    Raises:
        UsageError: it names a file, or is no path.
    """
    if out is None or as_path(out, "out").is_dir():
        return
    if Path(out).exists():
        raise UsageError(f"{out} is a file; -o takes {takes}")
    if Path(out).suffix.lower() in OUTPUT_SUFFIXES:
        raise UsageError(f"{out} is the name of a file; -o takes {takes}")


class OutputFolder:
    """The folder of a run. It is made once: where it disappears during the run, what is left of the run fails."""

    def __init__(self, root: Path) -> None:
        self.root, self._is_made = root, False

    @contextmanager
    def made(self, now: bool) -> Iterator[None]:
        """Make it before the block, for work in other processes; after it, a new folder that is empty is removed.

        Args:
            now: if false, nothing is done here.
        """
        is_new = now and not self.root.exists()
        if now:
            make_folder(self.root)
            self._is_made = True
        try:
            yield
        finally:
            if is_new:
                with suppress(OSError):  # it holds something, or is gone
                    self.root.rmdir()

    @contextmanager
    def holding(self, folder: Path) -> Iterator[None]:
        """Within the block, outputs may be written to a folder in it, or to the folder itself."""
        if not self._is_made:
            make_folder(self.root)
            self._is_made = True
        if not self.root.is_dir():
            raise FacetalkError(f"the output folder {self.root} does not exist any more")
        try:
            folder.mkdir(exist_ok=True)
        except FileExistsError:
            raise FacetalkError(
                f"{folder} is a file; the outputs need a folder of this name, choose another -o"
            ) from None
        except OSError as error:
            raise FacetalkError(f"cannot make the folder {folder}: {error.strerror}") from None
        with keeping(self.root):
            yield


def exit_code(errors: Sequence[FacetalkError]) -> int:
    """Exit code of a run in which these inputs failed: 0 for none, 3 if all for want of an asset, else 1."""
    codes = {error.exit_code for error in errors}
    return 0 if not codes else codes.pop() if len(codes) == 1 else 1
