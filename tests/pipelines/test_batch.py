from __future__ import annotations

from pathlib import Path

from facetalk.core.errors import FacetalkError, InvalidValueError
from facetalk.core.progress import no_progress
from facetalk.pipelines.batch import Outcome, no_report, run_batch


def refuse(path: Path) -> Outcome:
    if path.name == "many.npz":
        raise InvalidValueError("the motion has 300 betas")
    raise FacetalkError(f"{path} is damaged")


def test_an_error_about_values_names_the_file_they_came_from() -> None:
    paths = [Path("many.npz"), Path("cut.npz")]
    outcomes = run_batch(refuse, {path: path for path in paths}, (), no_report, no_progress)
    assert {str(outcome.error) for outcome in outcomes} == {
        "many.npz: the motion has 300 betas",
        "cut.npz is damaged",
    }
