"""Talkers small enough for tests: one that only opens the mouth, and StyleTalk with little random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from facetalk.core.emotions import parse_emotions
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.controls import Controls
from facetalk.io.audio import Waveform
from facetalk.networks.emotalk import EmoTalkNetwork
from facetalk.networks.laughtalk import LaughTalkNetwork
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.networks.motion_decoder import DecoderConfig
from facetalk.networks.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from facetalk.networks.style_encoder import StyleEncoderConfig
from facetalk.networks.styletalk import GeneratorConfig, StyleTalkGenerator
from facetalk.talkers.base import Direction, reject_unsupported
from facetalk.talkers.emotalk import EmoTalk
from facetalk.talkers.laughtalk import LaughTalk
from facetalk.talkers.styletalk import SpeakingConfig, StyleTalk
from tests.networks.test_emotalk import TINY as TINY_EMOTALK
from tests.networks.test_laughtalk import TINY as TINY_LAUGHTALK
from tests.recipes.toy import NUM_FEATURES, ToyEncoder

SMALL = GeneratorConfig(
    num_layers=1,
    style=StyleEncoderConfig(width=8, num_layers=1, num_heads=2),
    lower=DecoderConfig(width=16, num_layers=1, num_heads=2, num_experts=2),
    upper=DecoderConfig(width=16, num_layers=1, num_heads=2, num_experts=2),
)


class Mumbler:
    """Opens the mouth by random amounts that grow with the level of its emotion."""

    emotions = ("happy",)
    supported = ("emotion",)

    def __init__(self, name: str = "mumbler") -> None:
        self.name = name

    @classmethod
    def from_folder(cls, folder: Path, name: str) -> Mumbler:
        return cls(name)

    def speak(
        self,
        waveform: Waveform,
        direction: Direction | None = None,
        generator: torch.Generator | None = None,
    ) -> Motion:
        direction = direction or Direction()
        reject_unsupported(self.name, direction, self.supported)
        generator = generator or torch.Generator().manual_seed(0)
        expression = torch.zeros(frames_for(len(waveform) / SAMPLE_RATE), len(ARKIT_NAMES))
        levels = (direction.emotion or parse_emotions("happy:0.5")).frames(len(expression))
        opened = levels.sum(1) / 3 * torch.rand(len(expression), generator=generator)
        expression[:, ARKIT_NAMES.index("jawOpen")] = opened
        return still_motion("toy", expression, ARKIT_NAMES, FPS, 3)


class Loudness(ToyEncoder):
    """Features of a toy encoder that are as large as those of a real one."""

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        return 3 * super().encode(waveform)


def listening_talker() -> StyleTalk:
    """An untrained StyleTalk with a small speech encoder, which can listen to a stream."""
    torch.manual_seed(0)
    config = SpeechEncoderConfig(width=8, dilations=(1, 2), hidden=3, level="running")
    encoder = SpeechEncoder(config).eval().requires_grad_(False)
    generator = StyleTalkGenerator(SMALL, encoder.width).eval().requires_grad_(False)
    generator.neutral_style[-104:] = 0.2
    styles = {"happy": generator.neutral_style + 0.25}
    return StyleTalk(generator, encoder, name="listening", head="toy", num_betas=3, styles=styles)


def toy_talker(head: str = "toy", num_betas: int = 3) -> StyleTalk:
    """An untrained StyleTalk with one style of its own."""
    torch.manual_seed(0)
    generator = StyleTalkGenerator(SMALL, NUM_FEATURES).eval()
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    generator.requires_grad_(False)
    generator.neutral_style[-104:] = 0.2
    styles = {"glad": generator.neutral_style + 0.25}
    return StyleTalk(generator, Loudness(), SpeakingConfig(), head=head, num_betas=num_betas, styles=styles)


def listening_emotalk(happy: bool = False, own_fronts: bool = False) -> EmoTalk:
    """An untrained EmoTalk that can listen to a stream; one that takes all speech for happy, if it is to be."""
    encoder = listening_talker().speech
    width = 8 + 8 if own_fronts else encoder.width
    torch.manual_seed(0)
    config = replace(TINY_EMOTALK, own_fronts=own_fronts)
    network = EmoTalkNetwork(config, width + 3).eval().requires_grad_(False)
    network.decoder.to_motion.weight.normal_(0, 0.3)
    network.classifier.weight.normal_(0, 0.3)
    network.classifier.bias[config.sounds.index("happy")] = 9.0 if happy else 0.0
    network.asked.normal_()
    network.mean.fill_(0.3)
    network.spread.fill_(0.1)
    network.gap_dirs[ARKIT_NAMES.index("jawOpen")] = 30.0
    return EmoTalk(network, encoder, name="listening", head="toy", num_betas=3)


def listening_laughtalk() -> LaughTalk:
    """An untrained LaughTalk that can listen to a stream."""
    encoder = listening_talker().speech
    torch.manual_seed(0)
    controls = Controls(ARKIT_NAMES)
    network = LaughTalkNetwork(TINY_LAUGHTALK, controls.count).eval().requires_grad_(False)
    network.talk.decoder.to_motion.weight.normal_(0, 0.3)
    network.mean.fill_(0.4)
    network.spread.fill_(0.2)
    network.gap_dirs[ARKIT_NAMES.index("jawOpen")] = 30.0
    detector = LaughterDetector(LaughterDetectorConfig(num_mels=8, width=4, dilations=(1,))).eval()
    return LaughTalk(network, detector, controls, encoder, name="listening", head="toy", num_betas=3)
