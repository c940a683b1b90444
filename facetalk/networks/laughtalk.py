"""Speech -> talking motion and a residual that laughs: the two stages of LaughTalk (Sung-Bin et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.level import level_of
from facetalk.audio.prosody import prosody
from facetalk.audio.samples import Samples
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for
from facetalk.networks.chunks import chunks, faded
from facetalk.networks.rollout import RolloutConfig, RolloutDecoder
from facetalk.networks.wav2vec import NUM_PROSODY, Wav2VecConfig, Wav2VecEncoder

CHUNK_FRAMES = 180
"""Longest piece that is encoded at once."""

OVERLAP_FRAMES = 30
"""Frames that two pieces share: the features of one fade into those of the other, and the decoder carries over as many
frames of its own. Chunks begin every 150 frames, which is a whole number of samples."""


@dataclass(frozen=True)
class LaughTalkConfig:
    """Sizes of both stages."""

    verbal: Wav2VecConfig = field(default_factory=Wav2VecConfig)
    nonverbal: Wav2VecConfig = field(default_factory=lambda: Wav2VecConfig(prosody=True))
    decoder: RolloutConfig = field(default_factory=RolloutConfig)


class Stage(nn.Module):
    """An encoder of the speech and a decoder that follows it."""

    def __init__(self, encoder: Wav2VecEncoder, config: RolloutConfig, num_channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        encoder.freeze_front()
        heard = NUM_PROSODY if encoder.prosody is not None else 0
        self.decoder = RolloutDecoder(config, encoder.config.width + heard, num_channels)

    def encode(self, waveform: Float[Tensor, "batch samples"], num_frames: int) -> Float[Tensor, "batch frames width"]:
        """Features of speech; pitch and loudness come after those of an encoder that hears them.

        Args:
            waveform: 16 kHz, with zero mean and unit variance over the recording.
            num_frames: how many rows.
        """
        if self.encoder.prosody is None:
            return self.encoder(waveform, num_frames)
        heard = prosody(waveform, num_frames)
        rows = self.encoder(waveform, num_frames, heard)
        return torch.cat([rows, heard.to(rows)], 2)

    @torch.no_grad()
    def encode_blocks(self, waveform: Samples) -> Iterator[Float[Tensor, "1 frames width"]]:
        """Features of a recording of any length in consecutive blocks; of the audio, only the part in work is read.

        Args:
            waveform: 16 kHz.
        """
        for rows in faded(self._encode_chunks(waveform), OVERLAP_FRAMES):
            yield rows[None]

    def _encode_chunks(self, waveform: Samples) -> Iterator[Float[Tensor, "frames width"]]:
        mean, spread = level_of(waveform)
        for start, stop in chunks(frames_for(len(waveform) / SAMPLE_RATE), CHUNK_FRAMES, OVERLAP_FRAMES):
            samples = waveform[round(start / FPS * SAMPLE_RATE) : round(stop / FPS * SAMPLE_RATE)]
            yield self.encode(((samples - mean) / spread)[None], stop - start)[0]

    @torch.no_grad()
    def decode_blocks(self, blocks: Iterable[Float[Tensor, "1 _ width"]]) -> Iterator[Float[Tensor, "frames channels"]]:
        """Motion for features that come block by block; each block starts from the last second of the one before."""
        state = None
        for rows in blocks:
            motion, state = self.decoder.roll_out(rows, state)
            state = state.trimmed(OVERLAP_FRAMES)
            yield motion[0]


class LaughTalkNetwork(nn.Module):
    """Both stages, and the units of their motion."""

    mean: Tensor
    spread: Tensor
    amplitude: Tensor
    gap_dirs: Tensor
    """By how many millimeters each channel parts the lips of the head."""

    def __init__(
        self,
        config: LaughTalkConfig,
        num_channels: int,
        encoders: tuple[Wav2VecEncoder, Wav2VecEncoder] | None = None,
    ) -> None:
        """Build the network.

        Args:
            config: sizes.
            num_channels: channels of the motion.
            encoders: the verbal and the non-verbal encoder; new ones if None.
        """
        super().__init__()
        verbal, nonverbal = encoders or (Wav2VecEncoder(config.verbal), Wav2VecEncoder(config.nonverbal))
        self.config = replace(config, verbal=verbal.config, nonverbal=nonverbal.config)
        self.talk = Stage(verbal, config.decoder, num_channels)
        self.laugh = Stage(nonverbal, config.decoder, num_channels)
        self.register_buffer("mean", torch.zeros(num_channels))
        self.register_buffer("spread", torch.ones(num_channels))
        self.register_buffer("amplitude", torch.ones(()))
        self.register_buffer("gap_dirs", torch.zeros(num_channels))

    def talking(self, waveform: Samples) -> Float[Tensor, "frames channels"]:
        """Motion of stage 1 for a recording of any length."""
        return self._decoded(self.talk, waveform) * (self.amplitude * self.spread) + self.mean

    def laughing(self, waveform: Samples) -> Float[Tensor, "frames channels"]:
        """Residual of stage 2 for a recording of any length."""
        return self._decoded(self.laugh, waveform) * self.spread

    def _decoded(self, stage: Stage, waveform: Samples) -> Float[Tensor, "frames channels"]:
        motion = self.mean.new_empty(frames_for(len(waveform) / SAMPLE_RATE), len(self.mean))
        done = 0
        for rows in stage.decode_blocks(stage.encode_blocks(waveform)):
            motion[done : done + len(rows)] = rows
            done += len(rows)
        return motion
