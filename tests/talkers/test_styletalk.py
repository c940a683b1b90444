"""What StyleTalk makes of its generator: pieces with exact seams, levels, contacts and styles."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import SAMPLE_RATE
from facetalk.head.channels import ARKIT_NAMES, IDLE_NAMES, indices
from facetalk.io.audio import checked_waveform
from facetalk.io.weights import write_model
from facetalk.networks.styletalk import StyleTalkGenerator
from facetalk.talkers import styletalk
from facetalk.talkers.base import Direction
from facetalk.talkers.styletalk import LIDS_AT_MOST, SpeakingConfig, StyleTalk
from tests.recipes.toy import NUM_FEATURES, ToyEncoder
from tests.talkers.toys import SMALL, toy_talker

JAW, SMILE, LID = (ARKIT_NAMES.index(name) for name in ("jawOpen", "mouthSmileLeft", "eyeBlinkLeft"))


def make_talker(**speaking: object) -> StyleTalk:
    torch.manual_seed(0)
    generator = StyleTalkGenerator(SMALL, NUM_FEATURES).eval().requires_grad_(False)
    generator.neutral_style[-104:] = 0.2
    return StyleTalk(generator, ToyEncoder(), SpeakingConfig(**speaking), head="toy", num_betas=3)  # type: ignore[arg-type]


@pytest.fixture
def talker() -> StyleTalk:
    return make_talker()


def features(num_frames: int, seed: int = 0) -> torch.Tensor:
    """Random features in which no phoneme is heard."""
    rows = torch.randn(num_frames, NUM_FEATURES, generator=torch.Generator().manual_seed(seed))
    rows[:, 6:] = 0
    return rows


def reference(level: float = 0.1, num_frames: int = 90, **channels: float) -> Motion:
    rows = torch.full((num_frames, 52), level)
    for name, value in channels.items():
        rows[:, ARKIT_NAMES.index(name)] = value
    return still_motion("toy", rows, ARKIT_NAMES, 30.0, 3)


@pytest.mark.parametrize(
    ("waveform", "reason"),
    [
        (torch.zeros(0), "is empty"),
        (torch.full((8000,), torch.nan), "not finite"),
        (torch.zeros(1, 8000), r"not a tensor \(1, 8000\)"),
        (torch.zeros(8000, dtype=torch.int16), "floating-point samples"),
        ([0.0] * 8000, "not list"),
        ("speech.wav", "not str"),
    ],
)
def test_what_is_no_waveform_is_refused(talker: StyleTalk, waveform: object, reason: str) -> None:
    with pytest.raises((ValueError, FacetalkError), match=reason):
        checked_waveform(waveform)
    if isinstance(waveform, torch.Tensor) and waveform.ndim == 1 and waveform.is_floating_point():
        with pytest.raises(FacetalkError, match=reason):
            talker.speak(waveform)


def test_what_is_no_style_is_refused(talker: StyleTalk, tmp_path: Path) -> None:
    (tmp_path / "ref.mp4").write_bytes(b"a video")
    with pytest.raises(UsageError, match=r"ref\.mp4 is a file; .*resolve_style"):
        talker.style_code(str(tmp_path / "ref.mp4"))
    with pytest.raises(FacetalkError, match="values that are not finite"):
        talker.style_code(torch.full_like(talker.neutral_style, torch.inf))


@pytest.mark.parametrize("num_frames", [1, 20, 61, 150])
def test_speech_in_pieces_gives_the_same_motion_as_in_one(
    talker: StyleTalk, num_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = torch.rand(num_frames, NUM_FEATURES, generator=torch.Generator().manual_seed(1))  # with all phonemes
    talker.generator.gap_dirs[JAW] = 30.0
    whole = talker.decode(rows, talker.neutral_style)
    monkeypatch.setattr(styletalk, "CHUNK_FRAMES", 20)
    torch.testing.assert_close(talker.decode(rows, talker.neutral_style), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("samples", [1700, 16_000, 24_321])
def test_speak_returns_a_frame_for_every_thirtieth_of_a_second(talker: StyleTalk, samples: int) -> None:
    waveform = torch.randn(samples, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    motion = talker.speak(waveform)
    assert (motion.head, motion.fps, motion.expression_names) == ("toy", 30.0, ARKIT_NAMES)
    assert motion.num_frames == max(1, round(samples / SAMPLE_RATE * 30))
    assert len(motion.betas) == 3
    assert 0 <= motion.expression.min() <= motion.expression.max() <= 1


def test_a_smile_in_the_reference_reaches_the_result(talker: StyleTalk) -> None:
    waveform = torch.zeros(SAMPLE_RATE)
    calm, happy = (reference(), reference(mouthSmileLeft=0.8))
    first, second = (talker.speak(waveform, Direction(style=motion)).expression[:, SMILE] for motion in (calm, happy))
    assert second.mean() > first.mean() + 0.4


def test_strength_goes_from_the_neutral_style_to_the_reference_and_beyond(talker: StyleTalk) -> None:
    waveform, style = torch.zeros(SAMPLE_RATE), reference(mouthSmileLeft=0.5)

    def smile(strength: float) -> float:
        return float(talker.speak(waveform, Direction(style=style, strength=strength)).expression[:, SMILE].mean())

    assert smile(0) == pytest.approx(float(talker.speak(waveform).expression[:, SMILE].mean()), abs=1e-5)
    assert smile(0) < smile(0.5) < smile(1.0) < smile(1.5)
    with pytest.raises(UsageError, match=r"between 0 and 1\.5"):
        smile(2.0)


def test_a_style_is_a_motion_a_code_or_names() -> None:
    talker, waveform = toy_talker(), torch.rand(8000, generator=torch.Generator().manual_seed(0))
    code = talker.encode_style(reference(0.3))

    def spoken(style: Motion | torch.Tensor | str | None) -> torch.Tensor:
        return talker.speak(waveform, Direction(style=style)).expression

    assert torch.equal(spoken(reference(0.3)), spoken(code))
    assert torch.equal(spoken("glad"), spoken(talker.styles["glad"]))
    assert torch.equal(spoken("neutral"), spoken(None))
    mixed = 0.5 * talker.styles["glad"] + 0.5 * talker.neutral_style
    torch.testing.assert_close(spoken("glad:0.5,neutral:0.5"), spoken(mixed))
    with pytest.raises(UsageError, match=r"112 numbers, not the shape \(3,\)"):
        spoken(torch.zeros(3))
    with pytest.raises(FacetalkError, match=r"no such style reference: nobody; .* neutral, glad"):
        spoken("nobody")
    with pytest.raises(ValueError, match="52 ARKit channels"):
        spoken(still_motion("flame", torch.zeros(5, 2), ("exp0", "exp1"), 30.0, 3))


def test_frames_of_a_reference_without_a_face_do_not_count(talker: StyleTalk) -> None:
    rows = torch.full((60, 52), 0.1)
    rows[40:] = 0.9
    confidence = torch.cat([torch.ones(40), torch.zeros(20)])
    motion = still_motion("toy", rows, ARKIT_NAMES, 30.0, 3).replace(confidence=confidence)
    torch.testing.assert_close(talker.encode_style(motion), talker.encode_style(motion.cut(0, 40)))


def test_pauses_of_a_reference_do_not_count() -> None:
    talker = make_talker()
    talker.generator.gap_dirs[JAW] = 30.0
    rows = torch.zeros(200, 52)
    rows[:60, JAW] = 0.2 + 0.2 * torch.sin(torch.arange(60.0))
    motion = still_motion("toy", rows, ARKIT_NAMES, 30.0, 3)
    spread = talker.generator.style_encoder.split(talker.encode_style(motion)[None])[2][0, JAW]
    assert spread == pytest.approx(float(rows[:65, JAW].std()), rel=0.02)
    silent = motion.cut(70, 200)  # nothing else to go by
    assert talker.generator.style_encoder.split(talker.encode_style(silent)[None])[2][0, JAW] < 0.01


def test_only_a_share_of_an_open_reference_opens_the_mouth() -> None:
    talker = make_talker(parting_share=0.5)
    talker.generator.gap_dirs[JAW] = 30.0
    talker.generator.neutral_style[-104:] = 0.1
    rows = torch.zeros(1, 40, NUM_FEATURES)
    rows[:, 20:, ToyEncoder().columns("SIL")[0]] = 1.0
    calmed = talker._calmed(torch.full((1, 1, 52), 0.5), rows)[0]
    assert calmed[0, JAW] == pytest.approx(0.3) and calmed[-1, JAW] == pytest.approx(0.1)
    assert calmed[:, JAW].diff().abs().max() < 0.03  # it comes to rest without a jump
    assert (calmed[:, SMILE] == 0.5).all()
    # What is calmer than the neutral style stays so.
    assert (talker._calmed(torch.zeros(1, 1, 52), rows)[..., JAW] == 0).all()


@pytest.mark.parametrize("symbol", ["B", "M", "P"])
def test_bilabials_that_are_heard_close_the_lips(symbol: str) -> None:
    talker = make_talker(taper_mm=0.0)
    talker.generator.gap_dirs[JAW], talker.generator.gap_dirs[ARKIT_NAMES.index("mouthClose")] = 30.0, -30.0
    style = talker.encode_style(reference(0.0, jawOpen=0.5))
    rows = features(30)
    rows[14:17, list(ToyEncoder().columns(symbol))] = 0.9
    gap = talker.decode(rows, style) @ talker.generator.gap_dirs
    assert gap[15] < 0.1 < 3 < gap[:8].min()


def test_lips_that_are_not_to_close_stay_as_they_are() -> None:
    rows = features(30)
    rows[:, list(ToyEncoder().columns("P", "F"))] = 0.9
    silent = features(30)
    results = []
    for given in (rows, silent):
        talker = make_talker(contacts=False)
        talker.generator.gap_dirs[JAW] = 30.0
        talker.generator.feature_scale[6:] = 1e9  # only contacts see the phonemes
        results.append(talker.decode(given, talker.neutral_style))
    torch.testing.assert_close(*results)


def test_blinks_and_glances_in_the_reference_do_not_shift_the_lids(talker: StyleTalk) -> None:
    motion = reference(eyeLookOutLeft=0.7)
    motion.expression[20:28, LID] = 1.0
    result = talker.decode(features(10), talker.encode_style(motion))
    torch.testing.assert_close(result[:, LID], torch.full((10,), 0.1))
    assert result[:, ARKIT_NAMES.index("eyeLookOutLeft")].max() == 0
    columns = indices(IDLE_NAMES)
    torch.testing.assert_close(result[:, columns], result[:1, columns].expand(10, -1))


def test_the_lids_of_a_reference_that_looks_down_stay_half_open(talker: StyleTalk) -> None:
    result = talker.decode(features(10), talker.encode_style(reference(0.8)))
    torch.testing.assert_close(result[:, LID], torch.full((10,), LIDS_AT_MOST))
    assert result[:, ARKIT_NAMES.index("browDownLeft")].mean() > 0.6


def test_the_fingerprint_is_that_of_the_style_encoder(talker: StyleTalk) -> None:
    before = talker.fingerprint()
    talker.generator.direct.weight += 1.0
    assert talker.fingerprint() == before
    talker.generator.style_encoder.embed.weight += 0.5
    assert talker.fingerprint() != before


def test_gaps_cannot_be_tapered_below_nothing() -> None:
    with pytest.raises(ValueError, match="taper_mm"):
        SpeakingConfig(taper_mm=-1.0)


def test_a_talker_comes_back_from_its_folder_with_its_settings(tmp_path: Path) -> None:
    generator = StyleTalkGenerator(SMALL, 41)
    speaking = SpeakingConfig(decoder_share=0.5, contacts=False)
    sections = {"speech": "pocketsphinx", "num_features": 41, "network": plain(SMALL), "speaking": plain(speaking)}
    write_model(tmp_path / "run", generator, "talker", "styletalk", sections)
    talker = StyleTalk.from_folder(tmp_path / "run", name="mine")
    assert (talker.name, talker.head, talker.num_betas, talker.config) == ("mine", "facetalk", 33, speaking)
    assert talker.styles == {}
    write_model(tmp_path / "other", generator, "talker", "styletalk", {**sections, "speech": "speech-encoder"})
    with pytest.raises(FacetalkError, match=r"was trained on 41 speech features; speech-encoder has \d+"):
        StyleTalk.from_folder(tmp_path / "other")
