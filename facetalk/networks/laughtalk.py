"""Speech -> talking motion and a residual that laughs: the two stages of LaughTalk (Sung-Bin et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.prosody import prosody
from facetalk.core.timing import SAMPLE_RATE, frames_for
from facetalk.io.audio import Waveform
from facetalk.networks.chunks import chunked_rows, faded
from facetalk.networks.rollout import RolloutConfig, RolloutDecoder, RolloutState
from facetalk.networks.speech_rows import SpeechRows
from facetalk.networks.wav2vec import NUM_PROSODY, Wav2VecConfig, Wav2VecEncoder

CHUNK_FRAMES = 180
"""Longest piece that is encoded at once."""

OVERLAP_FRAMES = 30
"""Frames that two pieces share: the features of one fade into those of the other, and the decoder carries over as many
frames of its own."""

CHUNK_STEP = CHUNK_FRAMES - OVERLAP_FRAMES
"""Frames from the beginning of a piece to that of the next."""


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
        front = self.encoder.front(waveform, num_frames)
        return self.transform(torch.cat([front, prosody(waveform, num_frames)], 2))

    def transform(self, rows: Float[Tensor, "batch frames rows"]) -> Float[Tensor, "batch frames width"]:
        """Features of speech from the rows of `source`; see `encode`."""
        front, heard = rows[..., :-NUM_PROSODY], rows[..., -NUM_PROSODY:]
        if self.encoder.prosody is None:
            return self.encoder.transform(front)
        return torch.cat([self.encoder.transform(front, heard), heard], 2)

    @property
    def source(self) -> SpeechRows:
        """What it makes of audio first."""
        return SpeechRows((self.encoder,))

    @torch.no_grad()
    def features(
        self, blocks: Iterable[Float[Tensor, "_ rows"]], num_frames: int
    ) -> Iterator[Float[Tensor, "_ width"]]:
        """Features of speech of any length, in consecutive blocks.

        Args:
            blocks: consecutive rows of `source`.
            num_frames: how many rows there are.
        """
        chunked = chunked_rows(blocks, num_frames, CHUNK_FRAMES, OVERLAP_FRAMES)
        return faded((self.transform(rows[None])[0] for rows in chunked), OVERLAP_FRAMES)

    @torch.no_grad()
    def roll_out(
        self, features: Float[Tensor, "frames width"], state: RolloutState | None = None
    ) -> tuple[Float[Tensor, "frames channels"], RolloutState]:
        """Motion for the next features; what is older than a second is forgotten where a chunk begins.

        Args:
            features: of the frames from `state.position` on.
            state: after the frames before; None at the beginning.
        """
        state, parts = state or self.decoder.initial_state(1), []
        while len(features):
            count = CHUNK_STEP - state.position % CHUNK_STEP
            motion, state = self.decoder.roll_out(features[None, :count], state)
            parts.append(motion[0])
            features = features[count:]
            if state.position % CHUNK_STEP == 0:
                state = state.trimmed(OVERLAP_FRAMES)
        return torch.cat(parts) if parts else features.new_zeros(0, self.decoder.to_motion.out_features), state


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

    def talking(self, waveform: Waveform) -> Float[Tensor, "frames channels"]:
        """Motion of stage 1 for a recording of any length."""
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        return self.talked(self.talk.source.blocks(waveform), num_frames)

    def talked(self, blocks: Iterable[Float[Tensor, "_ rows"]], num_frames: int) -> Float[Tensor, "frames channels"]:
        """Motion of stage 1 for consecutive rows of its source, `num_frames` in all."""
        return self.talking_units(self._decoded(self.talk, blocks, num_frames))

    def talking_units(self, decoded: Float[Tensor, "frames channels"]) -> Float[Tensor, "frames channels"]:
        """Channels of what the decoder of stage 1 returns."""
        return decoded * (self.amplitude * self.spread) + self.mean

    def laughing(self, waveform: Waveform) -> Float[Tensor, "frames channels"]:
        """Residual of stage 2 for a recording of any length."""
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        return self._decoded(self.laugh, self.laugh.source.blocks(waveform), num_frames) * self.spread

    def _decoded(
        self, stage: Stage, blocks: Iterable[Float[Tensor, "_ rows"]], num_frames: int
    ) -> Float[Tensor, "frames channels"]:
        motion, state = self.mean.new_empty(num_frames, len(self.mean)), None
        done = 0
        for features in stage.features(blocks, num_frames):
            motion[done : done + len(features)], state = stage.roll_out(features, state)
            done += len(features)
        return motion
