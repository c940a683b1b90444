"""A toy head with an untrained little talker in place of the released ones."""

from __future__ import annotations

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.timing import SAMPLE_RATE, frames_for
from facetalk.head.looks import Look
from facetalk.head.model import HeadModel
from facetalk.networks.motion_decoder import DecoderConfig
from facetalk.networks.style_encoder import StyleEncoderConfig
from facetalk.networks.styletalk import Talker, TalkerConfig
from facetalk.pipelines import animate as pipeline
from tests.conftest import make_toy_head


class Loudness:
    """Four features a frame that follow the sound."""

    width = 4

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        padded = torch.nn.functional.pad(waveform, (0, SAMPLE_RATE))
        pieces = torch.stack([padded[round(t * SAMPLE_RATE / 30) :][:2048] for t in range(num_frames)])
        return torch.fft.rfft(pieces).abs()[:, 1:401].reshape(num_frames, 4, 100).mean(2)


def toy_talker() -> Talker:
    torch.manual_seed(0)
    decoder = DecoderConfig(width=16, num_layers=1, num_heads=2, num_experts=2)
    style = StyleEncoderConfig(width=8, num_layers=1, num_heads=2)
    config = TalkerConfig(num_layers=1, style=style, lower=decoder, upper=decoder)
    talker = Talker(config, Loudness.width, Loudness()).eval()
    with torch.no_grad():
        for parameter in talker.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return talker


def use_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pipeline load these under the released names."""

    def load_talker(name: str) -> Talker:
        if name != "styletalk":
            raise UsageError(f"unknown talker {name!r}")
        return toy_talker()

    def load_head(name: str, look: Look | None = None) -> HeadModel:
        if name != "facetalk":
            raise UsageError(f"unknown head {name!r}")
        return HeadModel(make_toy_head())

    monkeypatch.setattr(pipeline, "load_talker", load_talker)
    monkeypatch.setattr(pipeline, "load_head", load_head)
