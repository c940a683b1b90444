from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from facetalk.core.errors import FacetalkError
from facetalk.head.assets import HeadAssets
from facetalk.pipelines import train as pipeline
from facetalk.recipes import registry
from facetalk.recipes.base import ConfiguredRecipe
from facetalk.recipes.styletalk import StyleTalkConfig
from tests.recipes.test_styletalk import make_toy_task
from tests.recipes.toy import write_dataset

SHORT = ("loop.num_steps=6", "loop.log_every=2", "loop.validate_every=3", "loop.save_every=3", "loop.seed=4")


@pytest.fixture
def data_dir(tmp_path: Path, toy_assets: HeadAssets, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset, and a recipe `styletalk` that uses the toy head and the toy encoder."""

    def make_task(config: StyleTalkConfig, folder: Path | None):
        assert folder is not None
        return make_toy_task(folder, toy_assets, config)

    module = ModuleType("toy_recipe")
    module.RECIPE = ConfiguredRecipe(StyleTalkConfig, make_task)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_recipe", module)
    monkeypatch.setitem(registry.RECIPES, "styletalk", "toy_recipe:RECIPE")
    return write_dataset(tmp_path / "data", (2.5,))


@pytest.mark.slow
def test_a_run_leaves_weights_log_and_the_configuration_it_used(tmp_path: Path, data_dir: Path) -> None:
    result = pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", settings=SHORT, with_report=True)
    written = {path.name for path in result.run_dir.iterdir()}
    assert written == {
        "checkpoint.pt", "config.yaml", "log.csv", "metrics.json", "model.safetensors", "report.html",
        "training.yaml",
    }  # fmt: skip
    report = (result.run_dir / "report.html").read_text()
    assert "6 of 6" in report and "<b>total</b>" in report.split("On validation data")[0]
    used = yaml.safe_load((result.run_dir / "training.yaml").read_text())
    assert used["loop"]["num_steps"] == 6
    # The written configuration runs again.
    pipeline.train(result.run_dir / "training.yaml", data_dir, tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (tmp_path / "run/model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_used_folder_is_kept_unless_the_run_is_resumed(tmp_path: Path, data_dir: Path) -> None:
    pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", settings=SHORT)
    with pytest.raises(FacetalkError, match="not empty"):
        pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", settings=SHORT)
    elsewhere = (*SHORT, "loop.device=cpu", "loop.log_every=1")  # neither decides what is computed
    pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", settings=elsewhere, resume=True)
    with pytest.raises(FacetalkError, match=r"resume it with --set data\.length=\d+, or give a new folder"):
        pipeline.train("styletalk-tiny", data_dir, tmp_path / "run", settings=(*SHORT, "data.length=80"), resume=True)


def test_resuming_with_other_options_names_those_of_the_run_before_data_are_read(tmp_path: Path) -> None:
    options = registry.read_training_config("styletalk-tiny", ())
    (tmp_path / "training.yaml").write_text(yaml.safe_dump(options))
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    steps = options["loop"]["num_steps"]
    longer = ("loop.num_steps=9999", "loop.save_every=7")
    with pytest.raises(FacetalkError, match=rf"resume it with --set loop\.num_steps={steps}, or give a new folder"):
        pipeline.train("styletalk-tiny", tmp_path / "no data", tmp_path, settings=longer, resume=True)
    many = ["loop.num_steps=9", *(f"loss_weights.{name}=77" for name in options["loss_weights"])]
    assert len(many) > 5
    with pytest.raises(FacetalkError, match=rf" and {len(many) - 5} more, see .*training\.yaml"):
        pipeline.train("styletalk-tiny", tmp_path / "no data", tmp_path, settings=many, resume=True)


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        ("styltalk", (), "no configuration named"),
        ("styletalk-tiny", ("loop.stepps=3",), "styletalk-tiny: unknown option loop.stepps"),
        ("styletalk-tiny", ("method=magic",), "method is 'magic'"),
        ("missing.yaml", (), "no configuration file"),
    ],
)
def test_a_wrong_request_is_explained(tmp_path: Path, config: str, settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(FacetalkError, match=message):
        pipeline.train(config, None, tmp_path / "run", settings=settings)
