from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from facetalk.core.config import build, override, plain
from facetalk.core.errors import UsageError


@dataclass(frozen=True)
class Inner:
    rate: float = 1e-3
    sizes: tuple[int, ...] = (1, 2)
    span: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Outer:
    name: str = "x"
    steps: int = 3
    fast: bool = False
    limit: float | None = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.steps > 10**6:
            raise ValueError(f"steps={self.steps} must not be so many")


def test_a_config_survives_the_way_to_plain_values_and_back() -> None:
    config = Outer("y", 5, True, 2.0, Inner(0.5, (4,), (1.0, 2.0)))
    assert build(Outer, plain(config)) == config


def test_missing_sections_keep_their_defaults_and_numbers_may_be_written_as_yaml_reads_them() -> None:
    config = build(Outer, {"inner": {"rate": "1e-4", "sizes": [7], "span": [1, 2]}})
    assert config == Outer(inner=Inner(1e-4, (7,), (1.0, 2.0)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stepps": 3}, "unknown option stepps; did you mean steps"),
        ({"inner": {"ratte": 3}}, "unknown option inner.ratte"),
        ({"steps": 1.5}, "steps must be a whole number"),
        ({"steps": True}, "steps must be a whole number"),
        ({"fast": 1}, "fast must be true or false"),
        ({"inner": 3}, "inner is a section"),
        ({"inner": {"rate": "quick"}}, "inner.rate must be a number"),
        ({"inner": {"sizes": 3}}, "inner.sizes must be a list"),
        ({"inner": {"span": [1, 2, 3]}}, "inner.span needs 2 values, found 3"),
        ({"steps": -1}, "steps must be a whole number from 0 on, not -1"),
        ({"steps": 10**9}, "steps=1000000000 must not be so many"),
    ],
)
def test_a_wrong_option_is_named_with_its_place(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(Outer, options)


def test_settings_change_a_copy_and_make_sections() -> None:
    options = {"steps": 1, "inner": {"rate": 1.0}}
    changed = override(options, ["inner.rate=2e-3", "steps=7", "inner.sizes=[3, 4]", "new.part=on"])
    assert changed["inner"] == {"rate": "2e-3", "sizes": [3, 4]}
    assert changed["steps"] == 7
    assert options == {"steps": 1, "inner": {"rate": 1.0}}


@pytest.mark.parametrize("change", ["steps", "=3", "steps.deep=3", "steps=[1"])
def test_a_setting_that_cannot_be_read_is_refused(change: str) -> None:
    with pytest.raises(UsageError):
        override({"steps": 1}, [change])
