from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from facetalk.core.errors import MissingAssetError
from facetalk.rendering import pyrender_backend
from facetalk.rendering.pyrender_backend import PyrenderRenderer
from facetalk.rendering.renderer import CpuRenderer
from facetalk.rendering.surface import Surface
from tests.rendering.meshes import ball, looking, paint

SIZE = (96, 80)


def textured_ball() -> tuple[Surface, np.ndarray]:
    vertices, faces = ball()
    generator = np.random.default_rng(0)
    # Two islands side by side, to which triangles belong by turns: every edge is a seam.
    spread = vertices[:, :2] * 2.3 + 0.25
    uv = np.concatenate([spread, spread + np.array([0.5, 0.5])]).astype(np.float32)
    uv_faces = faces + len(vertices) * (np.arange(len(faces))[:, None] % 2)
    texture = np.tile(generator.integers(60, 200, (4, 4, 3), dtype=np.uint8), (2, 2, 1))
    return replace(paint(len(vertices), faces), uv_coords=uv, uv_faces=uv_faces, texture=texture), vertices


@pytest.fixture
def open_renderers() -> Iterator[list[PyrenderRenderer]]:
    opened: list[PyrenderRenderer] = []
    yield opened
    for renderer in opened:
        renderer.close()


def make(surface: Surface, opened: list[PyrenderRenderer]) -> PyrenderRenderer:
    try:
        renderer = PyrenderRenderer(surface, looking(SIZE, focal=110.0))
    except MissingAssetError as error:
        pytest.skip(str(error))
    opened.append(renderer)
    return renderer


@pytest.mark.slow
@pytest.mark.parametrize("textured", [False, True])
def test_both_back_ends_give_the_same_image(textured: bool, open_renderers: list[PyrenderRenderer]) -> None:
    surface, vertices = textured_ball()
    if not textured:
        surface = replace(surface, texture=None)
    slow = make(surface, open_renderers)
    fast = CpuRenderer(surface, looking(SIZE, focal=110.0))
    for scale in (1.0, 0.8):
        one, other = (renderer.render(vertices * np.float32(scale)).astype(int) for renderer in (slow, fast))
        difference = np.abs(one - other)
        assert difference.mean() < 0.6
        # Inside, away from edges, where the two smooth differently, not even a step or two.
        assert np.median(difference[30:50, 40:60]) <= 1 and (difference[30:50, 40:60] > 6).mean() < 0.03
        assert (one != slow.background).any(-1).mean() > 0.1


def test_a_background_shows_where_the_mesh_is_not(open_renderers: list[PyrenderRenderer]) -> None:
    surface, vertices = textured_ball()
    renderer = make(surface, open_renderers)
    background = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    np.testing.assert_array_equal(renderer.render(vertices, background)[:5], background[:5])


def test_without_opengl_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    surface, _ = textured_ball()
    try:
        pyrender = pyrender_backend.load_pyrender()
    except MissingAssetError as error:
        pytest.skip(str(error))

    def refuse(*size: int) -> None:
        raise AssertionError

    monkeypatch.setattr(pyrender, "OffscreenRenderer", refuse)
    with pytest.raises(MissingAssetError, match=r"no OpenGL context through .*libegl1.*cpu backend"):
        PyrenderRenderer(surface, looking(SIZE))


def test_without_pyrender_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyrender_backend, "find_spec", lambda name: None)
    with pytest.raises(MissingAssetError, match=r"pip install 'facetalk\[opengl\]'") as caught:
        PyrenderRenderer(textured_ball()[0], looking(SIZE))
    assert caught.value.exit_code == 3


def test_a_platform_that_cannot_load_is_a_missing_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    original = builtins.__import__

    def refuse(name: str, *args: object, **options: object) -> object:
        if name == "pyrender":
            raise ImportError("Unable to load EGL library")
        return original(name, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pyrender_backend, "find_spec", lambda name: object())
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingAssetError, match="Unable to load EGL library"):
        pyrender_backend.load_pyrender()
