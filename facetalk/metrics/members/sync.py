"""Sync: how certainly the mouth belongs to the speech, and how much later than the speech it moves.

The similarity of mouth and speech, mean over the frames, is computed at each offset between them. As in SyncNet (Chung
and Zisserman 2016, sec. 4.1), the offset is where it is best, and the confidence is the difference between the best
and the median over the offsets. The network is facetalk's own sync critic, whose similarities lie in [0, 1]: the
figures are not those of the published SyncNet.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, Synchrony


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference = clips.synchrony()
    return Measured(_figures("sync", predicted) | _figures("sync_reference", reference))


def _figures(name: str, found: Synchrony) -> dict[str, float]:
    confidence = float(found.similarity.max() - found.similarity.median())
    best = float(found.offsets_ms[found.similarity.argmax()]) if confidence > 0 else float("nan")
    return {f"{name}_confidence": confidence, f"{name}_offset_ms": best}
