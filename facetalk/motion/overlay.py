"""A head drawn over the video that it was fitted to: face and head only, in the tone of the person's skin.

A bust would lie on top of the person's clothes. Neck and shoulders are left out, and hair too where the head says which
part of its texture is hair; the edge is soft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion
from facetalk.head.assets import HeadAssets
from facetalk.head.looks import PAINTED
from facetalk.head.model import HeadModel
from facetalk.io.video import video_frames
from facetalk.motion.frames import Renderer, make_renderer, posed
from facetalk.motion.head_surface import head_surface
from facetalk.rendering.camera import project
from facetalk.rendering.color import BYTE_TO_LINEAR, linear_to_srgb, srgb_to_linear
from facetalk.rendering.coverage import Coverage
from facetalk.rendering.normals import vertex_normals
from facetalk.rendering.surface import Surface

FADE_M = 0.02
"""Distance from the neck over which the head becomes opaque."""
BLUR_M = 0.004
"""Standard deviation of the softness of the edge."""

SAMPLES = 8
"""Frames from which the tone of the skin is estimated."""
SAMPLED_S = 60.0
"""They lie within the first minute, so that a long video is not decoded twice."""
_FACING = 0.5
"""Cosine between the skin and the direction to the camera from which its color counts."""
_LEAST_POINTS = 50
"""Visible points below which the color of the head is kept."""
_ROUNDS = 3
"""The first one ignores that highlights and the tone curve do not follow the color; the others correct for it."""
_GAINS = (0.05, 4.0)
_COUNTED = (0.35, 0.8)
"""Quantiles of the brightness between which points count."""
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


class OverlayRenderer:
    """Renders the head over each background, as opaque as `opacity` says."""

    def __init__(self, renderer: Renderer, coverage: Coverage) -> None:
        self.renderer, self.coverage = renderer, coverage
        self.threads = renderer.threads

    def prepare(self, vertices: Float[np.ndarray, "vertices 3"]) -> None:
        """See `Renderer.prepare`."""
        self.renderer.prepare(vertices)

    def render(
        self, vertices: Float[np.ndarray, "vertices 3"], background: UInt8[np.ndarray, "height width 3"] | None = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """See `Renderer.render`; a background is required."""
        if background is None:
            raise ValueError("an overlay needs a frame to lie over")
        image = self.renderer.render(vertices, background)
        opacity, result = self.coverage.of(vertices), background.copy()
        rows, columns = np.flatnonzero(opacity.any(1)), np.flatnonzero(opacity.any(0))
        if len(rows):
            part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            share = opacity[part][..., None].astype(np.uint16)
            mixed = image[part] * share + background[part] * (255 - share)
            result[part] = ((mixed + 127) // 255).astype(np.uint8)
        return result


def overlay_renderer(
    backend: str, head: HeadModel, motion: Motion, camera: Camera, video: Path | str
) -> OverlayRenderer:
    """A renderer that draws a head over the frames of its video.

    The skin takes the tone of the video's, unless a skin tone was chosen for the head.

    Args:
        backend: see `make_renderer`.
        head: the head.
        motion: fitted to the video, at the frame rate that is rendered.
        camera: of the fit, at the size of the frames.
        video: the video.
    """
    surface = head_surface(head.assets)
    if head.assets.meta.get("look", PAINTED).get("skin") == PAINTED["skin"]:
        surface = with_video_tone(surface, head, motion, camera, video)
    coverage = Coverage(surface.faces, head_opacity(head.assets), camera, blur_m=BLUR_M)
    return OverlayRenderer(make_renderer(backend, surface, camera), coverage)


def head_opacity(assets: HeadAssets) -> Float[np.ndarray, " vertices"]:
    """Opacity of each vertex: 1 on the face, 0 on neck and shoulders, in between next to them."""
    from scipy.spatial import KDTree  # takes a quarter of a second to import, which videos without overlay do not need

    template = assets.shape.template.numpy()
    opacity = np.ones(len(template), np.float32)
    away = np.zeros(len(template), bool)
    away[assets.points.regions["neck"].numpy()] = True
    away |= hair(assets)
    if away.any() and not away.all():
        distance, _ = KDTree(template[away]).query(template)
        opacity = np.clip(distance / FADE_M, 0, 1).astype(np.float32)
        opacity = opacity * opacity * (3 - 2 * opacity)
    return opacity


def hair(assets: HeadAssets) -> Bool[np.ndarray, " vertices"]:
    """Vertices that are mostly hair in the texture, brows and lashes not included."""
    share = layer_share(assets, 2) if assets.appearance.texture_layers is not None else None
    if share is None:
        return np.zeros(len(assets.shape.template), bool)
    face = np.zeros(len(share), bool)
    for name in ("upper_face", "brows", "eyes", "mouth"):
        face[assets.points.regions[name].numpy()] = True
    return (share > 0.5) & ~face


def layer_share(assets: HeadAssets, layer: int) -> Float[np.ndarray, " vertices"]:
    """Share of a layer of the texture at each vertex, in [0, 1]."""
    look = assets.appearance
    assert look.texture_layers is not None
    height, width = look.texture_layers.shape[:2]
    uv = np.zeros((len(look.colors), 2), np.float32)
    uv[assets.shape.faces.numpy().ravel()] = look.uv_coords.numpy()[look.uv_faces.numpy().ravel()]
    column = np.clip(uv[:, 0] * width, 0, width - 1).astype(np.int64)
    row = np.clip((1 - uv[:, 1]) * height, 0, height - 1).astype(np.int64)
    return look.texture_layers[row, column, layer].astype(np.float32) / 255


def with_video_tone(surface: Surface, head: HeadModel, motion: Motion, camera: Camera, video: Path | str) -> Surface:
    """The surface with its skin in the mean tone and brightness that the person's has in the video.

    Eyes, teeth and tongue keep their tone and take the brightness. Arguments as for `overlay_renderer`.
    """
    frames = sampled_frames(motion)
    meshes = list(posed(head, motion.pick(frames)))
    images = _images(video, frames, motion, camera)
    points = _skin_points(head.assets)
    skin = np.zeros(surface.num_vertices, bool)
    skin[head.assets.points.regions["skin"].numpy()] = True
    for _ in range(_ROUNDS):
        seen, drawn = [], []
        renderer = make_renderer("cpu", surface, camera)
        for mesh, image in zip(meshes, images, strict=True):
            rows, columns = _visible(mesh, surface.faces, points, camera)
            seen.append(image[rows, columns])
            drawn.append(renderer.render(mesh, np.zeros_like(image))[rows, columns])
        gain = _gain(np.concatenate(seen), np.concatenate(drawn))
        brightness = gain @ _LUMINANCE
        factor = np.where(skin[:, None], gain, brightness)
        surface = replace(
            surface,
            colors=linear_to_srgb(srgb_to_linear(surface.colors) * factor).astype(np.float32),
            # In a darker room, highlights are darker too.
            gloss=surface.gloss * np.array([min(1.0, brightness), 1.0], np.float32),
        )
    return surface


def sampled_frames(motion: Motion) -> list[int]:
    """Frames spread over the first minute, where the fit is certain if there are such."""
    last = min(motion.num_frames, round(SAMPLED_S * motion.fps))
    certain = np.arange(last)
    if motion.confidence is not None:
        confidence = motion.confidence[:last].numpy()
        certain = np.flatnonzero(confidence >= np.median(confidence))
    return np.unique(certain[np.linspace(0, len(certain) - 1, SAMPLES).round().astype(int)]).tolist()


def _images(video: Path | str, frames: Sequence[int], motion: Motion, camera: Camera) -> list[np.ndarray]:
    wanted = set(frames)
    shown = video_frames(video, max(frames) + 1, motion.fps, camera.image_size, turn=motion.source_turn)
    return [image for number, image in enumerate(shown) if number in wanted]


def _skin_points(assets: HeadAssets) -> Bool[np.ndarray, " vertices"]:
    """Vertices of nose, cheeks and the skin between the brows: what is seldom hidden by a beard, hair or a hat."""
    regions, (across, height, _) = assets.points.regions, assets.shape.template.numpy().T
    lips, eyes, brows = (regions[name].numpy() for name in ("lips", "eyes", "brows"))
    plain = np.zeros(len(height), bool)
    plain[regions["skin"].numpy()] = True
    plain &= (height > height[lips].max()) & (height < height[brows].max())
    plain &= (across > across[eyes].min()) & (across < across[eyes].max())
    for name in ("neck", "lips", "eyes", "brows"):
        plain[regions[name].numpy()] = False
    if assets.appearance.texture_layers is not None:
        plain &= layer_share(assets, 0) > 0.9
    return plain


def _visible(
    mesh: np.ndarray, faces: np.ndarray, points: Bool[np.ndarray, " vertices"], camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the points that face the camera and lie in the image."""
    normals = np.empty((len(mesh), 3), np.float32)
    vertex_normals(np.ascontiguousarray(mesh, np.float32), np.ascontiguousarray(faces, np.int32), normals)
    eye = -(camera.world_to_camera[:3, :3].T @ camera.world_to_camera[:3, 3]).numpy()
    away = eye - mesh
    facing = (normals * away).sum(1) / np.linalg.norm(away, axis=1).clip(1e-6) > _FACING
    place = project(torch.from_numpy(mesh), camera).numpy()
    width, height = camera.image_size
    inside = (place >= 0).all(1) & (place[:, 0] < width) & (place[:, 1] < height)
    columns, rows = place[points & facing & inside].astype(int).T
    return rows, columns


def _gain(seen: UInt8[np.ndarray, "points 3"], drawn: UInt8[np.ndarray, "points 3"]) -> Float[np.ndarray, "3"]:
    """By how much linear light of the video is brighter than that of the render.

    The darkest of the points may be hair, glasses and their shadows, the brightest are highlights: neither counts.
    """
    if len(seen) < _LEAST_POINTS:
        return np.ones(3)
    light, own = BYTE_TO_LINEAR[seen], BYTE_TO_LINEAR[drawn]
    low, high = np.quantile(light @ _LUMINANCE, _COUNTED)
    counted = (light @ _LUMINANCE >= low) & (light @ _LUMINANCE <= high)
    return (light[counted].mean(0) / own[counted].mean(0).clip(1e-3)).clip(*_GAINS)
