from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.assets import HeadAssets
from facetalk.pipelines import train as pipeline
from facetalk.recipes.registry import config_names
from facetalk.recipes.styletalk import read_task_config
from tests.recipes.test_styletalk import make_toy_task
from tests.recipes.toy import write_dataset

SHORT = ("loop.num_steps=6", "loop.log_every=2", "loop.validate_every=3", "loop.save_every=3", "loop.seed=4")


@pytest.fixture
def data_dir(tmp_path: Path, toy_assets: HeadAssets, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset, and a method `styletalk` that uses the toy head and the toy encoder."""
    module = ModuleType("toy_method")
    module.read_task_config = read_task_config  # type: ignore[attr-defined]
    module.make_task = lambda config, folder: make_toy_task(folder, toy_assets, config)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_method", module)
    monkeypatch.setitem(pipeline.METHODS, "styletalk", "toy_method")
    return write_dataset(tmp_path / "data", (2.5,))


@pytest.mark.slow
def test_a_run_leaves_weights_log_and_the_configuration_it_used(tmp_path: Path, data_dir: Path) -> None:
    result = pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", SHORT)
    written = {path.name for path in result.run_dir.iterdir()}
    assert written == {
        "checkpoint.pt", "config.yaml", "log.csv", "metrics.json", "model.safetensors", "training.yaml",
    }  # fmt: skip
    used = yaml.safe_load((result.run_dir / "training.yaml").read_text())
    assert used["loop"]["num_steps"] == 6
    # The written configuration runs again.
    pipeline.train(result.run_dir / "training.yaml", data_dir, tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (tmp_path / "run/model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_used_folder_is_kept_unless_the_run_is_resumed(tmp_path: Path, data_dir: Path) -> None:
    pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", SHORT)
    with pytest.raises(FacetalkError, match="not empty"):
        pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", SHORT)
    pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", SHORT, resume=True)
    with pytest.raises(FacetalkError, match="another configuration"):
        pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", (*SHORT, "data.length=80"), resume=True)


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        ("styltalk", (), "no configuration named"),
        ("styletalk-tiny", ("loop.stepps=3",), "unknown option loop.stepps"),
        ("styletalk-tiny", ("method=magic",), "method is 'magic'"),
        ("missing.yaml", (), "no configuration file"),
    ],
)
def test_a_wrong_request_is_explained(tmp_path: Path, config: str, settings: tuple, message: str) -> None:
    with pytest.raises(FacetalkError, match=message):
        pipeline.train(config, None, tmp_path / "run", settings)


def test_every_packaged_configuration_can_be_read() -> None:
    assert {"styletalk", "styletalk-tiny"} <= set(config_names())
    for name in ("styletalk", "styletalk-tiny"):
        options = pipeline.read_training_config(name)
        assert options.pop("method") == "styletalk"
        assert read_task_config(options).loop.num_steps > 0


def test_an_unknown_option_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        read_task_config({"talker": {"wide": 3}})
