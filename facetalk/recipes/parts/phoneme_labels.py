"""Labels for the frames of a video from its audio: what a speech encoder predicts at their times."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import FPS, frame_times, resample
from facetalk.data.faces import FaceDataConfig, FaceExample
from facetalk.io.audio import read_waveform
from facetalk.networks.speech_encoder import SpeechEncoder

MIN_AV_CORR = 0.1
"""Clips with a lower `av_corr` are left out: their audio may not belong to the mouth."""

MIN_MEASURED_S = 1.5
"""The `av_corr` of a shorter clip is too uncertain and is not used."""


def is_synced(example: FaceExample) -> bool:
    """Whether a clip has audio that belongs to its mouth, as far as is known."""
    clip = example.clip
    long = float(example.track.times[-1] - example.track.times[0]) >= MIN_MEASURED_S
    return clip.audio_path.is_file() and not (long and clip.av_corr is not None and clip.av_corr < MIN_AV_CORR)


def speech_features(
    example: FaceExample, speech: SpeechEncoder, config: FaceDataConfig
) -> Float[Tensor, "frames features"]:
    """Features of the speech at the times of a clip's video frames; columns as in `speech.slices`.

    Args:
        example: a clip with an audio file.
        speech: the encoder.
        config: says how late the audio is.
    """
    features = speech.encode(read_waveform(example.clip.audio_path))
    times = example.track.times
    step = float(times.diff().median()) if len(times) > 1 else 0.04
    lag_s = example.clip.audio_lag_s(config.audio_lags_ms, config.fix_sync)
    # Rows of features and video frames both stand for the middle of their frame.
    return resample(features, frame_times(len(features)) + 0.5 / FPS, times + step / 2 + lag_s)


def phoneme_posteriors(
    features: Float[Tensor, "frames features"], speech: SpeechEncoder
) -> Float[Tensor, "frames phonemes"]:
    """Probability of each phoneme in rows of speech features; each row sums to 1."""
    posteriors = features[:, speech.slices["posteriors"]]
    return posteriors / posteriors.sum(-1, keepdim=True)
