"""Files with exactly the structure in which FLAME is published, without any of FLAME's own data.

`random_flame` fills it with noise; `flame_like` transfers the channels of facetalk's own head to a given template, so
that the result moves like a face. Neither is FLAME.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from facetalk.head.assets import HeadAssets
from facetalk.head.flame import LANDMARK_VERTICES
from facetalk.head.registration import Warp, nearest_on_surface, register, vertex_normals

ROOT_PARENT = 4294967295
"""The root's parent as the published files write it: -1 in 32 bits."""


def random_flame(num_vertices: int = 40, n_betas: int = 300, n_expression: int = 6, seed: int = 0) -> dict[str, Any]:
    """The published names, shapes and kinds of numbers, filled with noise."""
    generator = np.random.default_rng(seed)
    shares, places = np.random.default_rng([seed, 1]).random((2, 5, num_vertices))
    regressor = scipy.sparse.csc_matrix(shares * (places < 0.4))
    weights = generator.random((num_vertices, 5)) ** 4
    faces = np.stack([np.arange(num_vertices - 2) + i for i in range(3)], 1)
    return {
        "v_template": generator.normal(size=(num_vertices, 3)) * 0.05,
        "shapedirs": generator.normal(size=(num_vertices, 3, n_betas + n_expression)) * 0.002,
        "posedirs": generator.normal(size=(num_vertices, 3, 36)) * 0.002,
        "J_regressor": regressor.multiply(1 / np.maximum(regressor.sum(1), 1e-6)).tocsc(),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.array([[ROOT_PARENT, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
        "f": faces.astype(np.uint32),
        "J": np.zeros((5, 3)),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def flame_like(template: np.ndarray, identity: np.ndarray, faces: np.ndarray, channels: np.ndarray) -> dict[str, Any]:
    """A FLAME-structured head that moves like another: for tests of retargeting, not FLAME.

    Args:
        template: (5023, 3) in FLAME's vertex order.
        identity: (5023, 3, n) directions, padded with zeros to 300.
        faces: (9976, 3).
        channels: (k, 5023, 3) movements that the expression shall span; their principal parts become `psi`.
    """
    jaw, eyes = np.array([0.0, -0.01, -0.02]), [template[3931:4477], template[4477:]]
    joints = np.stack([[0.0, -0.15, -0.03], [0.0, -0.08, -0.03], jaw, eyes[0].mean(0), eyes[1].mean(0)])
    weights = np.zeros((len(template), 5))
    share = np.clip((template[:, 1] + 0.15) / 0.07, 0, 1)
    weights[:, 0], weights[:, 1] = 1 - share, share
    weights[3931:4477], weights[4477:] = [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]
    # The chin hangs on the jaw as far as the opening mouth moves it.
    opening = np.clip(-1.5 * channels[17][:, 1] / np.abs(channels[17][:, 1]).max(), 0, 1)
    opening[3931:] = 0
    weights[:, 2] = weights[:, 1] * opening
    weights[:, 1] *= 1 - opening
    # What a turn of the jaw explains is no expression, in FLAME neither.
    arms = np.cross(np.eye(3)[:, None], (template - jaw)[None]) * weights[:, 2:3]
    arms = arms.reshape(3, -1)
    flat = channels.reshape(len(channels), -1)
    flat = flat - flat @ np.linalg.pinv(arms) @ arms
    _, sizes, modes = np.linalg.svd(flat, full_matrices=False)
    kept = min(50, len(modes))
    expression = (modes[:kept] * (sizes[:kept] / np.sqrt(len(channels)) * 2)[:, None]).reshape(kept, -1, 3)
    shape = np.zeros((len(template), 3, 300 + kept))
    shape[..., : identity.shape[2]] = identity
    shape[..., 300:] = expression.transpose(1, 2, 0)
    # Each joint is the mean of a few vertices around it, shifted: a regressor whose rows sum to one.
    regressor = np.stack([_affine_weights(template, joint) for joint in joints])
    return {
        "v_template": template.astype(np.float64),
        "shapedirs": shape,
        "posedirs": np.zeros((len(template), 3, 36)),
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "weights": weights,
        "kintree_table": np.array([[ROOT_PARENT, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
        "f": faces.astype(np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def _affine_weights(template: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Weights of a few vertices, summing to one, that make a place."""
    near = np.argsort(np.linalg.norm(template[:3931] - place, axis=1))[:60:2]
    system = np.concatenate([template[near].T, np.ones((1, len(near)))])
    weights = np.zeros(len(template))
    weights[near] = np.linalg.pinv(system) @ np.append(place, 1)
    return weights


def with_chumpy(values: dict[str, Any], path: Path, protocol: int = 2) -> Path:
    """Write a pickle in which some arrays are chumpy objects, as in FLAME 2020."""
    with stand_in_chumpy() as ch:
        wrapped = {key: ch(value) if key in ("v_template", "shapedirs", "posedirs") else value
                   for key, value in values.items()}  # fmt: skip
        path.write_bytes(pickle.dumps(wrapped, protocol))
    return path


@contextmanager
def stand_in_chumpy() -> Iterator[Any]:
    """A class that pickles like chumpy's, under chumpy's name; gone again afterwards."""

    class Ch:
        def __init__(self, x: np.ndarray) -> None:
            self.x, self._dirty_vars, self._itr, self._parents = x, set(), None, {}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    package, module = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    module.Ch = Ch  # type: ignore[attr-defined]
    package.ch = module  # type: ignore[attr-defined]
    sys.modules |= {"chumpy": package, "chumpy.ch": module}
    try:
        yield Ch
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def write_flame_like(identity_path: Path, path: Path) -> Path:
    """`flame_like` on the mean head and identity of FLAME 2023 Open, moving as the bundled head moves."""
    from facetalk.motion.heads import load_head_assets

    with np.load(identity_path) as file:
        template, identity, faces = (file[key].astype(np.float64) for key in ("v_template", "shapedirs", "faces"))
    faces = faces.astype(np.int64)
    own = load_head_assets("facetalk")
    warp = flame_warp(template, faces, own)
    rest = own.shape.template.numpy().astype(np.float64)
    step = 1e-2
    skin = own.shape.faces.numpy()[np.isin(own.shape.faces.numpy(), own.points.regions["skin"].numpy()).all(1)]
    laid_on = warp(rest)
    # Where the lips touch, only the direction of the surface tells the upper from the lower one.
    found = nearest_on_surface(template, laid_on, skin, vertex_normals(template, faces), candidates=40)
    corners, shares = skin[found.faces], found.barycentric
    channels = []
    for directions in own.shape.expression_dirs.numpy().astype(np.float64):
        moved = (warp(rest + step * directions) - laid_on) / step
        channels.append((moved[corners] * shares[..., None]).sum(1))
    channels = np.array(channels)
    channels[:, 3931:] = 0
    path.write_bytes(pickle.dumps(flame_like(template, identity, faces, channels), 2))
    return path


def flame_warp(template: np.ndarray, faces: np.ndarray, own: HeadAssets) -> Warp:
    """The warp from the bundled head to a template in FLAME's vertex order."""
    known = sorted(LANDMARK_VERTICES)
    rest = own.shape.template.numpy().astype(np.float64)
    pairs = own.points.landmarks.on(own.shape.template).numpy()[known].astype(np.float64)
    regions = own.points.regions
    face = np.setdiff1d(regions["skin"].numpy(), regions["neck"].numpy())[::3]
    normals = vertex_normals(rest, own.shape.faces.numpy())
    goal = template[[LANDMARK_VERTICES[index] for index in known]]
    return register(rest[face], normals[face], template, faces[(faces < 3931).all(1)], pairs, goal, num_anchors=400)
