"""Shape checks, the toy head and where the development data lies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jaxtyping import install_import_hook

import tests.shapecheck  # noqa: F401

# CUDA builds of torch load triton when the first optimizer is made. Loaded after the native libraries of all other
# tests in one process, triton 3.7 crashes.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401  # pyright: ignore[reportMissingImports]

# Before the package is imported: every annotated function then checks its shapes. The last jaxtyping for Python 3.10
# would also wrap compiled kernels, although they are marked `no_type_check`.
if sys.version_info >= (3, 11):
    install_import_hook("facetalk", "tests.shapecheck.check")

import pytest
import torch

from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.surface_points import SurfacePoints

ONE_CASE = "--one-case"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(ONE_CASE, choices=("first", "last"), help="run each test with one set of its parameters")


@pytest.hookimpl(trylast=True)  # after the marks have chosen
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    which = config.getoption(ONE_CASE)
    if which is None:
        return
    by_name: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_name.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = [cases[0 if which == "first" else -1] for cases in by_name.values()]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The development data; tests that ask for it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no development data at {SHARED / 'data'}")
    return SHARED / "data"


@pytest.fixture(scope="session")
def landmark_networks() -> None:
    """The landmark detector's networks; tests that load them skip where mediapipe or its model is absent."""
    from facetalk.core.errors import MissingAssetError
    from facetalk.vision.landmark_detector import describe_detector

    try:
        describe_detector()
    except MissingAssetError as error:
        pytest.skip(str(error))


def make_toy_head(num_vertices: int = 40, num_betas: int = 3, seed: int = 0) -> HeadAssets:
    """A cloud of a few random vertices with everything a head has."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    template = noise(num_vertices, 3) * 0.05
    triangles = torch.stack([torch.arange(num_vertices - 2) + i for i in range(3)], 1)
    corners = triangles[torch.arange(68) % len(triangles)]
    inside = torch.rand(68, 3, generator=generator)
    points = SurfacePoints(corners, inside / inside.sum(1, keepdim=True))
    names = ("skin", "lips", "upper_lip_inner", "lower_lip_inner", "mouth", "upper_face", "eyes", "brows",
             "left_eyeball", "right_eyeball", "upper_teeth", "lower_teeth", "tongue", "neck")  # fmt: skip
    return HeadAssets(
        name="toy",
        shape=HeadShape(
            template=template,
            identity_dirs=noise(num_betas, num_vertices, 3) * 0.002,
            identity_names=tuple(f"shape{i}" for i in range(num_betas)),
            expression_dirs=noise(len(ARKIT_NAMES), num_vertices, 3) * 0.005,
            expression_names=ARKIT_NAMES,
            faces=triangles,
            joints=noise(5, 3) * 0.03,
            joint_identity_dirs=noise(num_betas, 5, 3) * 0.001,
            skin_weights=torch.softmax(3 * noise(num_vertices, 5), 1),
        ),
        points=HeadPoints(
            landmarks=points,
            mediapipe=points,
            mediapipe_ids=torch.arange(68),
            regions={name: torch.arange(i, num_vertices, 5) for i, name in enumerate(names)},
        ),
        appearance=HeadAppearance(
            colors=torch.rand(num_vertices, 3, generator=generator),
            gloss=torch.tensor([0.2, 20.0]).repeat(num_vertices, 1),
            uv_coords=torch.rand(num_vertices, 2, generator=generator),
            uv_faces=triangles,
        ),
    )


def make_corrected_toy_head() -> HeadAssets:
    """The toy head with three correctives: two pairs of channels and an in-between."""
    assets = make_toy_head()
    generator = torch.Generator().manual_seed(9)
    pairs = torch.tensor([[17, 23], [3, 40], [0, 0]])
    return replace(
        assets,
        shape=replace(
            assets.shape, corrective_dirs=torch.randn(3, 40, 3, generator=generator) * 0.005, corrective_pairs=pairs
        ),
    )


@pytest.fixture(scope="session")
def toy_assets() -> HeadAssets:
    return make_toy_head()


@pytest.fixture(scope="session")
def toy_head(toy_assets: HeadAssets) -> HeadModel:
    return HeadModel(toy_assets)


@pytest.fixture(scope="session")
def flame_identity() -> Path:
    """Identity part of FLAME 2023 Open (CC-BY-4.0, Max Planck); tests that ask for it skip where it is absent."""
    path = SHARED / "heads" / "flame2023_open" / "flame2023_open_identity60.npz"
    if not path.is_file():
        pytest.skip(f"no FLAME 2023 Open identity data at {path}")
    return path


@pytest.fixture(scope="session")
def flame_like_path(flame_identity: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in FLAME's structure that moves like facetalk's own head; not FLAME. The processes of pytest share it."""
    from tests.io.flame_files import write_flame_like

    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    path = shared / "flame_like.pkl"
    with (shared / "flame_like.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            write_flame_like(flame_identity, path)
    return path


@pytest.fixture(scope="session", autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's own cache and installed heads stay out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield
