"""Work on a local Ray cluster; skipped where ray is not installed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from facetalk.core.engines import each_with
from facetalk.core.errors import FacetalkError, MissingAssetError, UsageError
from facetalk.core.parallel import each_in_parallel


def test_what_is_no_engine_and_a_missing_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert each_with("local") is each_in_parallel
    for name in ("slurm", "ray:", "rayon:1"):
        with pytest.raises(UsageError, match=r"unknown engine .*; there are: local, ray, ray:ADDRESS"):
            each_with(name)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingAssetError, match=r"pip install 'facetalk\[ray\]'"):
        each_with("ray")


def stumble(item: str) -> str:
    """End the worker, for some items once."""
    if item == "usage":
        raise UsageError("no such thing")
    if item == "always killed" or (item == "killed once" and not Path("was killed").exists()):
        Path("was killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{item} in {Path.cwd()}"


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    items = ["fine", "killed once", "usage", "fine too"]
    results = dict(each_with("ray")(stumble, [*items, "always killed"], 2))
    assert capsys.readouterr().out == "", "stdout is for results"
    assert Path("was killed").exists() and signal.getsignal(signal.SIGTERM) is before
    for item in ("fine", "killed once", "fine too"):
        assert results[item] == f"{item} in {tmp_path}"
    usage, lost = results["usage"], results["always killed"]
    assert isinstance(usage, FacetalkError) and (str(usage), usage.exit_code) == ("no such thing", 2)
    assert isinstance(lost, FacetalkError) and "Ray gave up after 3 retries" in str(lost)


def break_down(item: str) -> None:
    raise ValueError(f"a mistake with {item}")


@pytest.mark.slow
def test_mistakes_of_the_program_and_wrong_addresses_are_told() -> None:
    pytest.importorskip("ray")
    with pytest.raises(RuntimeError, match="ValueError: a mistake with a"):
        list(each_with("ray")(break_down, ["a"], 1))
    with pytest.raises(FacetalkError, match="there is no Ray cluster at 'nowhere' that can be used"):
        list(each_with("ray:nowhere")(break_down, ["a"], 1))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(FacetalkError, match=r"there is no Ray cluster at .*: Connection refused; is it running"):
            list(each_with(f"ray:127.0.0.1:{closed.getsockname()[1]}")(break_down, ["a"], 1))


def lose_the_cluster(item: str) -> str:
    """The first item ends at once; the second one kills Ray's server on this machine."""
    if item == "second":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return item


@pytest.mark.slow
def test_items_of_a_lost_cluster_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    results = dict(each_with("ray")(lose_the_cluster, ["first", "second", "third"], 1))
    assert results["first"] == "first" and list(results) == ["first", "second", "third"]
    for item in ("second", "third"):
        assert isinstance(results[item], FacetalkError)
        assert "the process that spoke with the Ray cluster" in str(results[item])
