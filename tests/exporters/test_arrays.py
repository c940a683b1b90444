"""Weights, coefficients and vertices as numbers: what is read back is what the motion and the head say."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.audio.visemes import OCULUS_VISEMES
from facetalk.core.errors import UsageError
from facetalk.core.motion import POSES, Motion
from facetalk.exporters import flame, vertices
from facetalk.exporters.registry import load_exporter
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.motion.visemes import viseme_weights
from tests.exporters.motions import eventful, lively_motion


@pytest.fixture
def motion(toy_head: HeadModel) -> Motion:
    return eventful(lively_motion(toy_head.assets, 700)).replace(source="some/where/ä.wav")


def test_audio2face_weights_are_the_channels(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    load_exporter("a2f").write(tmp_path / "a.json", motion, toy_head)
    document = json.loads((tmp_path / "a.json").read_text("ascii"))
    assert list(document) == ["exportFps", "trackPath", "numPoses", "numFrames", "facsNames", "weightMat"]
    assert (document["exportFps"], document["numPoses"], document["numFrames"]) == (30, 52, 700)
    assert (document["trackPath"], document["facsNames"]) == ("ä.wav", list(ARKIT_NAMES))
    weights = np.array(document["weightMat"])
    assert weights.shape == (700, 52)
    np.testing.assert_allclose(weights, motion.expression.numpy(), atol=5.1e-5)


def test_visemes_are_the_same_in_both_layouts(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    expected = viseme_weights(motion).numpy()
    load_exporter("visemes").write(tmp_path / "a.csv", motion, toy_head)
    with (tmp_path / "a.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["time_s", *OCULUS_VISEMES]
    table = np.array(rows, float)
    np.testing.assert_allclose(table[:, 0], np.arange(700) / 30, atol=5.1e-5)
    np.testing.assert_allclose(table[:, 1:], expected, atol=5.1e-5)
    load_exporter("visemes-json").write(tmp_path / "a.json", motion, toy_head)
    document = json.loads((tmp_path / "a.json").read_text("ascii"))
    assert (document["fps"], document["frames"], document["visemes"]) == (30, 700, list(OCULUS_VISEMES))
    np.testing.assert_allclose(np.array(document["weights"]), expected, atol=5.1e-5)


def test_vertices_are_those_of_the_head(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    done: list[int] = []
    vertices.write(tmp_path / "a.npz", motion, toy_head, progress=lambda what, frame, total: done.append(frame))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert set(file.files) == {"fps", "faces", "vertices"}
        assert float(file["fps"]) == 30
        np.testing.assert_array_equal(file["faces"], toy_head.shape.faces.numpy())
        assert file["vertices"].dtype == np.float32
        np.testing.assert_allclose(file["vertices"], toy_head.pose(motion).vertices.numpy(), atol=1e-6)
    assert done == list(range(1, 701))


def test_flame_parameters_are_under_their_usual_keys(tmp_path: Path, toy_head: HeadModel, motion: Motion) -> None:
    with pytest.raises(UsageError, match="the head 'toy' has no FLAME parameters for flame files; --head flame:PATH"):
        flame.write(tmp_path / "a.npz", motion, toy_head)
    assert not list(tmp_path.iterdir())
    head = HeadModel(replace(toy_head.assets, meta={"model": "FLAME"}))
    flame.write(tmp_path / "a.npz", motion, head)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        names = {"expression", "betas", *POSES, "transl"}
        assert set(file.files) == {*names, "fps"}
        for name in names:
            np.testing.assert_array_equal(file[name], getattr(motion, name).numpy())
        posed = head(*(torch.from_numpy(a) for a in (
            file["expression"], np.stack([file[name] for name in POSES], 1), file["transl"], file["betas"]
        )))  # fmt: skip
    torch.testing.assert_close(posed, head.pose(motion).vertices)
