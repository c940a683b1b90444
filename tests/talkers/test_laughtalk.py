from pathlib import Path

import pytest
import torch

from facetalk.audio.samples import Samples
from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.events import Event
from facetalk.core.motion import still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.controls import Controls
from facetalk.io.audio import read_waveform
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.weights import write_model
from facetalk.motion.mirror import mirrored_motion
from facetalk.networks.laughtalk import LaughTalkNetwork
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.talkers import laughtalk
from facetalk.talkers.base import Direction, LaughingTalker, Talker
from facetalk.talkers.laughtalk import LaughTalk, add_laughter
from facetalk.talkers.registry import load_talker
from tests.networks.test_laughtalk import TINY
from tests.recipes.toy import ToyEncoder

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class HearsLoudness(LaughterDetector):
    """Takes everything loud for laughter."""

    def probability(self, waveform: Samples) -> torch.Tensor:
        samples = waveform[0 : len(waveform)]
        return (
            torch.nn.functional.interpolate(
                samples.abs()[None, None], max(1, round(len(waveform) / 16_000 * 30)), mode="area"
            )[0, 0]
            .gt(0.3)
            .float()
        )


@pytest.fixture
def talker() -> LaughTalk:
    torch.manual_seed(0)
    controls = Controls(ARKIT_NAMES)
    network = LaughTalkNetwork(TINY, controls.count).eval().requires_grad_(False)
    for stage in (network.talk, network.laugh):
        stage.decoder.to_motion.weight.normal_(0, 0.1)
    network.mean.fill_(0.4)
    network.spread.fill_(0.2)
    detector = HearsLoudness(LaughterDetectorConfig(num_mels=8, width=4, dilations=(1,))).eval()
    return LaughTalk(network, detector, controls, ToyEncoder(), head="toy", num_betas=3)


def speech_with_a_laugh() -> torch.Tensor:
    """Quiet noise with a loud second from 2 to 3 s."""
    waveform = 0.05 * torch.randn(16_000 * 6, generator=torch.Generator().manual_seed(0))
    waveform[32_000:48_000] *= 12
    return waveform


def test_it_laughs_where_and_only_where_the_voice_does(talker: LaughTalk) -> None:
    assert isinstance(talker, Talker)
    assert isinstance(talker, LaughingTalker)
    waveform = speech_with_a_laugh()
    motion = talker.speak(waveform)
    sober = talker.speak(waveform, Direction(laughter=0.0))
    (laugh,) = motion.events_of("laugh")
    assert abs(laugh.start - 2) < 0.15
    assert abs(laugh.end - 3) < 0.15
    assert motion.laughter is not None
    assert motion.laughter[60:90].abs().max() > 0.01
    assert torch.equal(motion.expression[:50], sober.expression[:50])
    assert torch.equal(motion.expression[152:], sober.expression[152:])
    assert sober.events_of("laugh") == ()
    assert sober.events_of("phoneme") == motion.events_of("phoneme") != ()
    assert sober.laughter is None


def test_the_bundled_mouth_is_closed_where_nothing_is_heard() -> None:
    talker = load_talker("laughtalk")
    assert isinstance(talker, LaughTalk)
    waveform = torch.cat([torch.zeros(24_000), read_waveform(EXAMPLES / "speech.wav")[:24_000]])
    motion = talker.speak(waveform)
    gap = motion.expression @ talker.network.gap_dirs
    assert gap[:36].max() < 0.5 and motion.channel("jawOpen")[:36].max() < 0.05
    assert gap[50:].max() > 5


def test_stage_1_and_residual_stay_separate(talker: LaughTalk, tmp_path: Path) -> None:
    waveform = speech_with_a_laugh()
    motion, sober = talker.speak(waveform), talker.speak(waveform, Direction(laughter=0.0))
    torch.testing.assert_close(motion.without_laughter().expression, sober.expression)
    write_motion(tmp_path / "laugh.npz", motion)
    again = read_motion(tmp_path / "laugh.npz")
    torch.testing.assert_close(again.laughter, motion.laughter)
    assert again.events_of("laugh")[0].strength == pytest.approx(1.0)
    torch.testing.assert_close(again.without_laughter().expression, sober.expression)
    mirrored = mirrored_motion(motion).without_laughter()
    torch.testing.assert_close(mirrored.expression, mirrored_motion(sober).expression)


def test_the_amount_scales_the_residual(talker: LaughTalk) -> None:
    waveform = speech_with_a_laugh()
    still = still_motion("toy", torch.full((180, 52), 0.4), ARKIT_NAMES, 30.0, 3)
    half, whole = (talker.with_laughter(still, waveform, amount).laughter for amount in (0.25, 0.5))
    assert half is not None
    torch.testing.assert_close(2 * half, whole)
    with pytest.raises(UsageError, match="laughter is 3"):
        Direction(laughter=3)


def test_any_talker_gets_the_residual_where_somebody_laughs(talker: LaughTalk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laughtalk, "_detector", lambda: talker.detector)
    monkeypatch.setattr(laughtalk, "_bundled", lambda: talker)
    waveform = speech_with_a_laugh()
    motion = still_motion("toy", torch.full((180, 52), 0.3), ARKIT_NAMES, 30.0, 3)
    laughing = add_laughter(motion, waveform, 1.0)
    assert laughing.laughter is not None
    torch.testing.assert_close(laughing.without_laughter().expression, motion.expression)
    assert len(laughing.events_of("laugh")) == 1
    assert add_laughter(motion, waveform, 0.0) is motion
    assert add_laughter(motion, waveform * 0, 1.0) is motion


def test_lips_close_on_p_b_and_m_in_a_laugh_too(talker: LaughTalk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laughtalk, "_detector", lambda: talker.detector)
    monkeypatch.setattr(laughtalk, "_bundled", lambda: talker)
    talker.network.gap_dirs[ARKIT_NAMES.index("jawOpen")] = 30.0
    talker.network.gap_dirs[ARKIT_NAMES.index("mouthClose")] = -10.0
    still = still_motion("toy", torch.full((180, 52), 0.3), ARKIT_NAMES, 30.0, 3)
    spoken = still.with_events([Event("phoneme", 2.4, 2.5, label="M"), Event("phoneme", 2.5, 2.6, label="AH")])
    open_, closed = (
        add_laughter(motion, speech_with_a_laugh(), 1.0).expression @ talker.network.gap_dirs
        for motion in (still, spoken)
    )
    assert open_[72:75].min() > 3
    assert closed[72:75].max() < 0
    torch.testing.assert_close(closed[77:], open_[77:])
    torch.testing.assert_close(closed[:70], open_[:70])


def test_without_the_weights_nothing_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laughtalk, "is_bundled", lambda name: False)
    motion = still_motion("toy", torch.zeros(30, 52), ARKIT_NAMES, 30.0, 3)
    assert add_laughter(motion, torch.randn(16_000)) is motion


def test_a_talker_comes_back_from_its_folder(talker: LaughTalk, tmp_path: Path) -> None:
    described = {"head": "facetalk", "channels": list(ARKIT_NAMES), "num_channels": 52, "network": plain(TINY)}
    write_model(tmp_path / "run", talker.network, "talker", "laughtalk", described)
    again = LaughTalk.from_folder(tmp_path / "run")
    waveform = torch.randn(16_000)
    torch.testing.assert_close(again.network.talking(waveform), talker.network.talking(waveform), atol=1e-2, rtol=1e-2)
    write_model(tmp_path / "bad", talker.network, "talker", "laughtalk", {**described, "channels": ["jawOpen"]})
    with pytest.raises(FacetalkError, match="moves 52 controls, not 1"):
        LaughTalk.from_folder(tmp_path / "bad")
    write_model(tmp_path / "none", talker.network, "talker", "laughtalk", {**described, "channels": 3})
    with pytest.raises(FacetalkError, match="not the names of channels"):
        LaughTalk.from_folder(tmp_path / "none")
