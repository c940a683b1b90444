"""A photo of the bundled head that is brought to life, and photos that cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.motion.portrait.driving import MOTION_WIDTH
from facetalk.motion.portrait.photo import fit_photo
from facetalk.motion.portrait.scene import PortraitHead
from facetalk.networks.portrait import PortraitConfig, PortraitNetwork
from facetalk.networks.registry import load
from facetalk.neural_rendering import portrait
from facetalk.neural_rendering.base import NeuralRenderer
from facetalk.neural_rendering.portrait import LONGEST_SIDE, SHORTEST_LONG_SIDE, PortraitRenderer, shown_scale
from facetalk.rendering.camera import front_camera
from facetalk.rendering.renderer import CpuRenderer

pytestmark = pytest.mark.usefixtures("landmark_networks")

TINY = PortraitConfig(code=8, widths=(4, 6))


def picture(side: int = 256, yaw: float = 0.0) -> np.ndarray:
    """The head in front of a wall."""
    head = load_head("facetalk")
    turn = axis_angle_to_matrix(torch.tensor([0.0, yaw, 0.0]))
    camera = front_camera(head.template[head.points.regions["skin"]], (side, side))
    return CpuRenderer(head_surface(head.assets), camera).render((head.template @ turn.T).numpy())


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "head.png"
    Image.fromarray(picture()[:, :251]).save(path)
    return path


@pytest.fixture(scope="module")
def renderer(photo: Path) -> PortraitRenderer:
    head = load_head("facetalk")
    torch.manual_seed(0)
    network = PortraitNetwork(MOTION_WIDTH, TINY)
    return PortraitRenderer(fit_photo(photo, head), PortraitHead(head), network, load("person-matte"))


def motion_of(renderer: PortraitRenderer, num_frames: int = 3) -> Motion:
    """A motion that holds the face that the photo has."""
    fit = renderer._fit
    motion = still_motion("facetalk", fit.expression.expand(num_frames, -1).clone(), ARKIT_NAMES, 30.0, 33)
    return motion.replace(leye_pose=fit.leye_pose.expand(num_frames, 3), reye_pose=fit.reye_pose.expand(num_frames, 3))


def test_a_still_motion_gives_the_photo(renderer: PortraitRenderer, photo: Path) -> None:
    assert isinstance(renderer, NeuralRenderer)
    frames = list(renderer.frames(motion_of(renderer)))
    assert len(frames) == 3
    shown = np.asarray(Image.open(photo).resize(renderer.image_size, Image.Resampling.LANCZOS))
    for frame in frames:
        assert np.abs(frame.astype(int) - shown).max() <= 1


@pytest.mark.parametrize("teacher", [True, False], ids=["installed", "own"])
def test_a_nodding_speaker_moves_in_front_of_a_still_wall(
    renderer: PortraitRenderer, photo: Path, teacher: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not teacher:
        monkeypatch.setattr(portrait, "person_matte", lambda image: None)
        renderer = PortraitRenderer(
            fit_photo(photo, load_head("facetalk")), renderer._shared, renderer._network, load("person-matte")
        )
    motion = motion_of(renderer, 6)
    motion.expression[3:, ARKIT_NAMES.index("jawOpen")] += 0.5
    turn = torch.zeros(6, 3)
    turn[3:, 0], turn[3:, 1] = 0.1, 0.15
    frames = list(renderer.frames(motion.replace(neck_pose=turn)))
    change = np.abs(frames[5].astype(int) - frames[0]).max(-1)
    height, width = change.shape
    assert change[int(0.4 * height) : int(0.8 * height), int(0.3 * width) : int(0.7 * width)].mean() > 5
    # Where MediaPipe has no model that tells person and wall apart, the wall moves a little beside the head.
    assert change[: height // 16].max() <= 1 and change[: height // 2, : width // 12].max() <= 1
    assert renderer.image_size[0] % 2 == 0 and frames[0].shape == (*renderer.image_size[::-1], 3)


def test_the_first_frame_is_the_photo_however_the_motion_begins(renderer: PortraitRenderer, photo: Path) -> None:
    motion = motion_of(renderer, 8)
    motion.expression[:, ARKIT_NAMES.index("jawOpen")] = 0.5
    frames = list(renderer.frames(motion.replace(neck_pose=torch.full((8, 3), 0.1))))
    shown = np.asarray(Image.open(photo).resize(renderer.image_size, Image.Resampling.LANCZOS))
    assert np.abs(frames[0].astype(int) - shown).max() <= 1
    assert np.abs(frames[7].astype(int) - shown).max() > 50


def test_the_frames_do_not_depend_on_what_follows(renderer: PortraitRenderer) -> None:
    motion = motion_of(renderer, 40)
    motion.expression[:, ARKIT_NAMES.index("jawOpen")] += 0.3 * torch.linspace(0, 20, 40).sin().abs()
    whole, part = list(renderer.frames(motion)), list(renderer.frames(motion.cut(0, 21)))
    assert np.abs(whole[4].astype(int) - part[4]).max() <= 1


def test_a_portrait_has_its_own_camera(renderer: PortraitRenderer) -> None:
    with pytest.raises(UsageError, match="--camera tracked"):
        renderer.frames(motion_of(renderer), "tracked")


@pytest.mark.parametrize(
    ("size", "longest"), [((4000, 3000), LONGEST_SIDE), ((500, 400), 500), ((64, 48), SHORTEST_LONG_SIDE)]
)
def test_the_video_is_as_large_as_the_photo_within_limits(size: tuple[int, int], longest: int) -> None:
    assert max(size) * shown_scale(size) == pytest.approx(longest)


def test_a_photo_without_a_usable_face_is_refused_with_the_reason(tmp_path: Path) -> None:
    head, path = load_head("facetalk"), tmp_path / "a.png"
    small = np.full((300, 300, 3), 128, np.uint8)
    small[100:132, 100:132] = np.asarray(Image.fromarray(picture()).resize((32, 32), Image.Resampling.LANCZOS))
    wall = np.full((80, 80, 3), 128, np.uint8)
    for image, message in (
        (wall, "no face was found"),
        (small, "no face|pixels wide"),
        (picture(yaw=1.2), "turned|no face"),
    ):
        Image.fromarray(image).save(path)
        with pytest.raises(FacetalkError, match=message) as caught:
            fit_photo(path, head)
        assert "give a photo" in str(caught.value)


def test_a_drawing_moves_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cartoon().save(tmp_path / "a.png")
    with caplog.at_level(logging.WARNING):
        fit_photo(tmp_path / "a.png", load_head("facetalk"))
    assert "looks like a drawing" in caplog.text
    caplog.clear()
    Image.fromarray(picture()).save(tmp_path / "a.png")
    with caplog.at_level(logging.WARNING):
        fit_photo(tmp_path / "a.png", load_head("facetalk"))
    assert "looks like a drawing" not in caplog.text


def cartoon(side: int = 400) -> Image.Image:
    """A drawn face that the detector takes for one."""
    image = Image.new("RGB", (800, 800), (150, 200, 230))
    draw, dark = ImageDraw.Draw(image), (60, 40, 30)

    def ellipse(x: int, y: int, rx: int, ry: int, color: tuple[int, int, int], line: int = 0) -> None:
        draw.ellipse([4 * (x - rx), 4 * (y - ry), 4 * (x + rx), 4 * (y + ry)], color, dark, line)

    ellipse(100, 95, 62, 80, (70, 45, 30))
    ellipse(100, 105, 52, 70, (240, 200, 170), 6)
    for x in (78, 122):
        ellipse(x, 92, 13, 8, (255, 255, 255), 4)
        ellipse(x, 92, 7, 7, (90, 60, 40), 2)
        ellipse(x, 92, 3, 3, (0, 0, 0))
        draw.line([4 * (x - 15), 304, 4 * x, 284, 4 * (x + 15), 304], dark, 12)
    draw.line([400, 368, 376, 472, 408, 484], (190, 140, 110), 8)
    lips = (82, 140, 92, 136, 100, 138, 108, 136, 118, 140, 108, 149, 92, 149)
    draw.polygon([4 * value for value in lips], (200, 90, 90))
    draw.line([328, 560, 472, 560], (90, 40, 40), 6)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def test_of_several_faces_the_largest_moves_and_a_photo_on_its_head_is_turned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head, path = load_head("facetalk"), tmp_path / "a.png"
    two = np.full((256, 480, 3), 128, np.uint8)
    two[:, 224:], two[48:, :208] = picture(), picture(208)
    Image.fromarray(two).save(path)
    with caplog.at_level(logging.WARNING):
        assert float(fit_photo(path, head).points[:, 0].min()) > 224
        assert "2 faces; the largest one moves" in caplog.text
        Image.fromarray(np.rot90(picture(), 2)).save(path)
        found = fit_photo(path, head)
        assert "was turned" in caplog.text
    assert np.abs(found.image.astype(int) - picture()).mean() < 1
