"""A toy head with a small untrained talker in place of the bundled ones."""

from __future__ import annotations

import pytest

from facetalk.core.errors import UsageError
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.losses.geometry import LipGeometry
from facetalk.pipelines import animator
from facetalk.talkers import emotion
from facetalk.talkers.base import Talker
from tests.conftest import make_toy_head
from tests.talkers.toys import toy_talker


def use_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pipeline load these under the bundled names."""

    def load_talker(name: str) -> Talker:
        if name != "styletalk":
            raise UsageError(f"unknown talker {name!r}")
        return toy_talker()

    def load_head(name: str, look: Look | None = None) -> HeadModel:
        if name != "facetalk":
            raise UsageError(f"unknown head {name!r}")
        return HeadModel(make_toy_head())

    monkeypatch.setattr(animator, "load_talker", load_talker)
    monkeypatch.setattr(animator, "load_head", load_head)
    monkeypatch.setattr(emotion, "gap_dirs_of", lambda head: LipGeometry(make_toy_head()).curve_dirs[:, 0])
