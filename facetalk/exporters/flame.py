"""FLAME parameters: an `.npz` with the arrays that programs around FLAME read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facetalk.core.motion import POSES, Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.registry import check_head
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.io.npy import write_npz


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write `expression`, `betas`, `global_orient`, `neck_pose`, `jaw_pose`, `leye_pose`, `reye_pose`, `transl`, `fps`.

    Raises:
        UsageError: the head is not FLAME.
    """
    check_head("flame", head.name, head.assets.meta.get("model"))
    check_same_head(motion, head)
    motion = at_frame_rate(motion, options)
    arrays = {name: getattr(motion, name).numpy() for name in ("expression", "betas", *POSES, "transl")}
    with replacing(path) as temporary:
        write_npz(temporary, {**arrays, "fps": np.float64(motion.fps)})
