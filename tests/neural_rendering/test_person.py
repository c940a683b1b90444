"""The person of a run: frames in step, in bounded memory, and clear errors for what shows nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.weights import read_tensors, write_tensors
from facetalk.motion.frames import posed
from facetalk.networks.render2video import CENTER, LOOK, WINDOW, PersonGenerator
from facetalk.neural_rendering.appearance import blinks, collect
from facetalk.neural_rendering.layers import LayerMaker, as_bytes, as_colors
from facetalk.neural_rendering.person import PersonRenderer, read_person
from facetalk.neural_rendering.person_file import PERSON_FILE, read_person_file
from tests.neural_rendering.people import TINY, elsewhere, footage, head, person_motion, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("person") / "run")


@pytest.fixture(scope="module")
def person(run: Path) -> PersonRenderer:
    return read_person(run)


def talking(num_frames: int) -> Motion:
    curves = torch.rand(num_frames, 52, generator=torch.Generator().manual_seed(0))
    return still_motion("facetalk", curves, ARKIT_NAMES, 30.0, head().num_betas)


@pytest.mark.parametrize("num_frames", [1, 3, 14])
@pytest.mark.parametrize("step", [1, 2])
def test_streamed_layers_are_those_of_each_frame_on_its_own(num_frames: int, step: int) -> None:
    clip = footage(24)
    appearance = collect([clip], head(), 2)
    maker = LayerMaker(appearance, head(), TINY)
    scene, motion = appearance.scenes[0], person_motion(num_frames, seed=5)
    closed = blinks(motion)
    drawn = [maker.drawn(v, closed[i], scene.camera.K) for i, v in enumerate(posed(head(), motion))]
    small = [functional.avg_pool2d(item.values, 2)[0] for item in drawn]
    streamed = list(maker.stream(motion, scene, scene.camera.K, step))
    assert len(streamed) == num_frames
    for index, layers in enumerate(streamed):
        window = [small[min(max(index + step * (k - CENTER), 0), num_frames - 1)] for k in range(WINDOW)]
        torch.testing.assert_close(layers.window[0], torch.cat(window))
        torch.testing.assert_close(layers.look, drawn[index].values[:, :LOOK])


def test_frames_come_one_by_one_and_hold_no_more_than_a_window(person: PersonRenderer) -> None:
    asked = []

    class Watched(LayerMaker):
        def drawn(self, *arguments: object, **named: object):  # type: ignore[override]
            asked.append(1)
            return super().drawn(*arguments, **named)  # type: ignore[arg-type]

    person = PersonRenderer(person.person, person.network, person.head)
    person.maker = Watched(person.person, person.head, person.network.config)
    frames = person.frames(talking(40))
    assert isinstance(frames, Iterator) and not asked
    next(frames)
    assert len(asked) <= WINDOW
    assert 1 + sum(1 for _ in frames) == 40 == len(asked)


def test_the_frame_is_a_mixture_of_photos_and_what_is_drawn() -> None:
    torch.manual_seed(1)
    network = PersonGenerator(TINY).eval()
    clip = footage(24)
    appearance = collect([clip], head(), 2)
    scene = appearance.scenes[0]
    layers = next(LayerMaker(appearance, head(), TINY).stream(clip.motion, scene, scene.camera.K))
    drawn, shares = network.parts(layers)
    torch.testing.assert_close(shares.sum(1), torch.ones_like(shares[:, 0]))
    sources = torch.cat([layers.photos, drawn[:, None]], 1)
    low, high = sources.amin(1), sources.amax(1)
    frame = network(layers)
    assert bool((frame >= low - 1e-5).all()) and bool((frame <= high + 1e-5).all())
    torch.testing.assert_close(as_colors(as_bytes(frame)), frame, atol=0.005, rtol=0)


def test_a_tracked_head_lies_where_it_does_in_its_video(person: PersonRenderer) -> None:
    motion = person_motion(12)
    assert motion.camera is not None
    frames = torch.from_numpy(next(person.frames(motion, "tracked")).copy())
    assert tuple(frames.shape) == (32, 32, 3) == (*person.image_size, 3)
    with pytest.raises(FacetalkError, match="use --camera front"):
        person.frames(talking(3), "tracked")
    other = elsewhere(motion.replace(camera=replace(motion.camera, image_size=(64, 64))), "other")
    with pytest.raises(FacetalkError, match="64x64 pixels, the person is known from one of 96x80"):
        person.frames(other, "tracked")


def test_a_person_comes_back_from_their_file(run: Path) -> None:
    expected, found = collect([footage(size=TINY.size)], head(), 2), read_person_file(run)
    for name in ("betas", "colors", "keyframes", "key_points"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    assert (found.head, found.fps, found.size) == ("facetalk", 25.0, 32)
    ours, theirs = found.scenes[0], expected.scenes[0]
    assert (ours.box, ours.video_size, ours.fingerprint) == (theirs.box, theirs.video_size, theirs.fingerprint)
    assert torch.equal(ours.plate, theirs.plate)


BROKEN = {
    "a missing tensor": lambda t, d: t.pop("colors"),
    "numbers that are not finite": lambda t, d: t["betas"].fill_(float("nan")),
    "huge numbers": lambda t, d: t["key_points"].fill_(1e9),
    "a head behind the camera": lambda t, d: t["key_points"].mul_(-1),
    "a usual place behind the camera": lambda t, d: t["habits.transl"].mul_(-1),
    "a place miles away": lambda t, d: t["habits.transl"].fill_(-1e4),
    "a head that moves miles as it turns": lambda t, d: t["habits.sway"].fill_(1e4),
    "turns of many rounds": lambda t, d: t["habits.turns"].mul_(1e3),
    "colors that no screen has": lambda t, d: t["colors"].fill_(1e4),
    "a face of no person": lambda t, d: t["betas"].fill_(1e4),
    "keyframes beside the head": lambda t, d: t["key_points"][..., 0].fill_(9e4),
    "a camera that sees everything": lambda t, d: t["intrinsics"][:, 0, 0].fill_(1e-3),
    "a camera of another form": lambda t, d: t["intrinsics"][:, 2].fill_(9),
    "a view beside the video": lambda t, d: t["boxes"][:, 0].fill_(9999),
    "a view above the video": lambda t, d: t["boxes"][:, 1].fill_(-1),
    "a video of no size": lambda t, d: t["video_sizes"].fill_(0),
    "a plate of another size": lambda t, d: t.update(plates=t["plates"][:, :16, :16]),
    "another number of vertices": lambda t, d: t.update(colors=t["colors"][:9], key_points=t["key_points"][:, :9]),
    "another type": lambda t, d: t.update(keyframes=t["keyframes"].float()),
    "limits that exclude everything": lambda t, d: t["habits.turns"].copy_(t["habits.turns"].flip(0)),
    "fewer photos than the network mixes": lambda t, d: t.update(
        keyframes=t["keyframes"][:1], key_points=t["key_points"][:1]
    ),
    "no frame rate": lambda t, d: d.pop("fps"),
    "a mad frame rate": lambda t, d: d.update(fps=0),
    "more videos than plates": lambda t, d: d.update(videos=["a", "b"]),
    "no list of videos": lambda t, d: d.update(videos=7),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_damaged_person_is_refused_in_one_line(what: str, run: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.yaml"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    tensors, metadata = read_tensors(run / PERSON_FILE)
    described = json.loads(metadata["person"])
    BROKEN[what](tensors, described)
    write_tensors(tmp_path / PERSON_FILE, tensors, {"person": json.dumps(described)})
    with pytest.raises(FacetalkError) as caught:
        read_person(tmp_path)
    assert PERSON_FILE in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [PERSON_FILE, "model.safetensors"])
def test_a_file_that_is_cut_off_asks_for_another_training(name: str, run: Path, tmp_path: Path) -> None:
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: 100 if path.name == name else None])
    with pytest.raises(FacetalkError, match=rf"{name} is not a readable safetensors file .*; train it again$"):
        read_person(tmp_path)


def test_a_run_that_has_not_ended_is_to_be_continued(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match=r"has no person\.safetensors; make it with facetalk train render2video"):
        read_person(tmp_path)
    (tmp_path / "training.yaml").write_text("")
    with pytest.raises(FacetalkError, match=r"has no person\.safetensors; train it again"):
        read_person(tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(FacetalkError, match=r"has not ended: continue it with facetalk train --resume") as caught:
        read_person(tmp_path)
    assert caught.value.exit_code == 1


def test_an_unknown_head_and_weights_of_something_else_are_refused(run: Path, tmp_path: Path) -> None:
    tensors, metadata = read_tensors(run / PERSON_FILE)
    described = json.loads(metadata["person"])
    (tmp_path / PERSON_FILE).write_bytes((run / PERSON_FILE).read_bytes())
    with pytest.raises(FacetalkError, match=r"has no model\.safetensors; train it again") as caught:
        read_person(tmp_path)
    assert caught.value.exit_code == 1
    for name in ("model.safetensors", "config.yaml"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    write_tensors(tmp_path / PERSON_FILE, tensors, {"person": json.dumps({**described, "head": "nobody"})})
    with pytest.raises(FacetalkError, match="nobody"):
        read_person(tmp_path)
