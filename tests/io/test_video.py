from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io import video_writer
from facetalk.io.ffmpeg import ffmpeg_program
from facetalk.io.video import Region, VideoReader, read_video_info
from facetalk.io.video_writer import VideoWriter

SIZE = (64, 48)


def flash(level: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


def write_clip(path: Path, num_frames: int = 12, fps: float = 25.0, audio: object = None) -> Path:
    with VideoWriter(path, SIZE, fps, audio) as writer:  # type: ignore[arg-type]
        for index in range(num_frames):
            writer.write(flash(20 * index % 256))
    return path


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_audio(path: Path, rate: int = 16000) -> np.ndarray:
    command = [ffmpeg_program(), "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", str(rate), "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4")


def test_frames_come_back_in_order_with_their_times(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a:b -c.mp4")
    with VideoReader(path) as video:
        assert (video.size, video.fps, video.has_audio) == (SIZE, 25.0, False)
        frames = list(video)
    assert leftovers(tmp_path) == ["a:b -c.mp4"]
    np.testing.assert_allclose([time_s for time_s, _ in frames], np.arange(12) / 25, atol=1e-6)
    np.testing.assert_allclose([image.mean() for _, image in frames], 20 * np.arange(12), atol=2)


def test_colors_survive(tmp_path: Path) -> None:
    image = flash(0)
    for column, color in enumerate([(200, 60, 40), (50, 180, 70), (40, 60, 200), (220, 190, 170)]):
        image[:, 16 * column : 16 * column + 16] = color
    with VideoWriter(tmp_path / "c.mp4", SIZE, 30) as writer:
        writer.write(image)
    _, decoded = next(iter(VideoReader(tmp_path / "c.mp4")))
    middles = (slice(None), slice(8, None, 16))
    assert np.abs(decoded[middles].astype(int) - image[middles].astype(int)).max() <= 6


def test_a_clip_can_be_read_twice_left_early_and_made_smaller(tmp_path: Path) -> None:
    video = VideoReader(write_clip(tmp_path / "clip.mp4"), max_side=32)
    for _, image in video:
        assert image.shape == (24, 32, 3)
        break
    video.close()
    assert len(list(video)) == 12


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_frames_are_turned_and_cut_on_request(tmp_path: Path, turn: int) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :32], image[32:] = 200, 90
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 25.0) as writer:
        writer.write(image)
    with VideoReader(tmp_path / "a.mp4", turn=turn) as video:
        ((_, turned),) = video
    assert video.info.size == video.size == np.rot90(image, turn).shape[1::-1]
    np.testing.assert_allclose(turned.astype(int), np.rot90(image, turn), atol=25)
    region = Region(8, 6, 24, 36)
    with VideoReader(tmp_path / "a.mp4", turn=turn, region=region, max_side=18) as part:
        ((_, small),) = part
    assert part.size == (12, 18) == small.shape[1::-1] and part.info.size == video.info.size
    expected = np.asarray(Image.fromarray(turned[6:42, 8:32]).resize((12, 18), Image.Resampling.BICUBIC))
    assert np.abs(small.astype(int) - expected).mean() < 6
    np.testing.assert_allclose(part.to_shown(np.array([[0.0, 0, 0], [12, 18, 6]])), [[8, 6, 0], [32, 42, 12]])


def test_odd_sides_are_made_even(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "odd.mp4", (33, 21), 30) as writer:
        writer.write(flash(200, (33, 21)))
    (_, image), *_ = VideoReader(tmp_path / "odd.mp4")
    assert image.shape == (22, 34, 3)
    assert abs(float(image[-1, -1].mean()) - 200) < 4


@pytest.mark.parametrize("fps", [23.976, 25.0, 29.97, 30.0, 60.0])
def test_frame_rates_are_kept(tmp_path: Path, fps: float) -> None:
    path = write_clip(tmp_path / "clip.mp4", 9, fps)
    times = [time_s for time_s, _ in VideoReader(path)]
    np.testing.assert_allclose(times, np.arange(9) / fps, atol=2e-3)


@pytest.mark.parametrize("cores", [1, 2])
def test_with_few_cores_one_thread_encodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(video_writer, "allowed_cores", lambda: cores)
    with VideoWriter(tmp_path / "a.mp4", (512, 512), 30.0) as writer:
        writer.write(flash(200, (512, 512)))
    assert b" threads=1 " in (tmp_path / "a.mp4").read_bytes()


@pytest.mark.parametrize("as_file", [True, False])
def test_audio_is_in_step_with_the_frames(tmp_path: Path, as_file: bool) -> None:
    waveform = torch.zeros(3 * 16000)
    for moment in (0.4, 1.2):
        waveform[int(moment * 16000) :][:160] = 0.9
    audio: object = waveform
    if as_file:
        import soundfile

        audio = tmp_path / "clicks.wav"
        soundfile.write(audio, waveform.numpy(), 16000)
    with VideoWriter(tmp_path / "av.mp4", SIZE, 25, audio) as writer:  # type: ignore[arg-type]
        for index in range(40):
            writer.write(flash(255 if index in (10, 30) else 0))
    flashes = [time_s for time_s, image in VideoReader(tmp_path / "av.mp4") if image.mean() > 128]
    loud = np.flatnonzero(np.abs(read_audio(tmp_path / "av.mp4")) > 0.3) / 16000
    clicks = loud[np.diff(loud, prepend=-1) > 0.1]
    np.testing.assert_allclose(flashes, [0.4, 1.2])
    np.testing.assert_allclose(clicks, flashes, atol=0.005)
    info = read_video_info(tmp_path / "av.mp4")
    # The last packet of audio may end after the last frame.
    assert info.has_audio and info.duration_s == pytest.approx(1.6, abs=0.07)


def test_audio_that_starts_late_in_a_video_keeps_its_place(tmp_path: Path) -> None:
    waveform = torch.zeros(16000)
    waveform[1600:1760] = 0.9
    source = write_clip(tmp_path / "source.mp4", 25, audio=waveform)
    late = tmp_path / "late.mkv"
    subprocess.run([ffmpeg_program(), "-v", "error", "-i", str(source), "-itsoffset", "0.5", "-i", str(source),
                    "-map", "0:v", "-map", "1:a", "-c", "copy", str(late)], check=True)  # fmt: skip
    path = write_clip(tmp_path / "again.mp4", 25, audio=late)
    samples = read_audio(path)
    assert np.flatnonzero(np.abs(samples) > 0.3)[0] / 16000 == pytest.approx(0.6, abs=0.02)


def test_an_error_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "clip.mp4", SIZE, 25) as writer:
        writer.write(flash(1))
        raise RuntimeError
    with pytest.raises(ValueError, match="no frames"), VideoWriter(tmp_path / "clip.mp4", SIZE, 25):
        pass
    with pytest.raises(ValueError, match="64x48"), VideoWriter(tmp_path / "clip.mp4", SIZE, 25) as writer:
        writer.write(flash(1, (48, 64)))
    assert leftovers(tmp_path) == []


def test_audio_that_cannot_be_read_is_reported_and_an_older_file_kept(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"old")
    (tmp_path / "noise.wav").write_text("this is not audio")
    with pytest.raises(FacetalkError, match=r"noise.wav is not an audio or video file"):
        write_clip(path, 40, audio=tmp_path / "noise.wav")
    with pytest.raises(FacetalkError, match="no such file"):
        write_clip(path, audio=tmp_path / "missing.wav")
    soundfile.write(tmp_path / "odd.wav", np.zeros(16_000), 16_000)
    content = (tmp_path / "odd.wav").read_bytes()
    (tmp_path / "odd.wav").write_bytes(content[:20] + b"\x99\x99" + content[22:])  # an unknown encoding
    with pytest.raises(FacetalkError, match=r"odd.wav is not an audio or video file .*no decoder found"):
        write_clip(path, 40, audio=tmp_path / "odd.wav")
    (tmp_path / "odd.wav").unlink()
    silent = write_clip(tmp_path / "silent.mp4")
    with pytest.raises(FacetalkError, match=r"silent.mp4 has no audio track"):
        write_clip(path, 40, audio=silent)
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == ["clip.mp4", "noise.wav", "silent.mp4"]


def test_bad_files_get_a_clear_line(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match="no such file"):
        VideoReader(tmp_path / "missing.mp4")
    with pytest.raises(FacetalkError, match="is a folder"):
        VideoReader(tmp_path)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(FacetalkError, match="is empty"):
        VideoReader(tmp_path / "empty.mp4")
    for name in ("text.mp4", "text.txt"):
        (tmp_path / name).write_text("not a video\n" * 50)
        with pytest.raises(FacetalkError, match=r"is not an audio or video file that can be read|no video track"):
            VideoReader(tmp_path / name)
    import soundfile

    soundfile.write(tmp_path / "audio.wav", np.zeros(1600), 16000)
    with pytest.raises(FacetalkError, match="has no video track"):
        VideoReader(tmp_path / "audio.wav")


def test_a_broken_video_is_an_error_not_an_empty_one(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 30)
    whole = path.read_bytes()
    start = whole.index(b"mdat") + 4
    path.write_bytes(whole[:start] + bytes(len(whole) - start))
    with pytest.raises(FacetalkError, match="no frame can be decoded"):
        list(VideoReader(path))


def test_without_ffmpeg_the_error_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    import imageio_ffmpeg

    def nothing() -> str:
        raise RuntimeError

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", nothing)
    with pytest.raises(MissingAssetError, match="imageio-ffmpeg"):
        ffmpeg_program()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "size", "count"),
    [
        ("short/short_0s4.mp4", (288, 288), 10),
        ("rotated/rotated_90.mp4", (540, 960), 200),
        ("webm/webm.webm", (288, 288), 249),
        ("stereo/stereo_44k1.mp4", (384, 384), 165),
        ("profile/dafoe.mp4", (854, 480), 99),
    ],
)
def test_real_clips_are_read_whole_and_upright(data_dir: Path, name: str, size: tuple[int, int], count: int) -> None:
    video = VideoReader(data_dir / "robust" / name)
    frames = list(video)
    assert video.size == size and video.has_audio and len(frames) == count
    np.testing.assert_allclose(np.diff([time_s for time_s, _ in frames]), 1 / video.fps, atol=1.5e-3)


@pytest.mark.data
def test_uneven_times_are_kept(data_dir: Path) -> None:
    times = np.array([time_s for time_s, _ in VideoReader(data_dir / "robust" / "vfr" / "vfr.mkv")])
    assert len(times) == 155 and times[0] == pytest.approx(0.064) and times[-1] == pytest.approx(7.984)
    assert np.diff(times).min() > 0.03 and np.diff(times).max() > 0.2
