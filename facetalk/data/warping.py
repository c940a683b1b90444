"""Dynamic time warping: which frame of one recording says what each frame of another one says."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor


def warping(rows: Float[Tensor, "frames features"], model: Float[Tensor, "_ features"]) -> Int64[Tensor, " frames"]:
    """The frame of `model` that corresponds to each frame of `rows` (Sakoe and Chiba 1978).

    Both begin and end together. Steps are symmetric, and features are compared in units of their spread.

    Args:
        rows: features of the recording whose timing is wanted.
        model: features of one that says the same.
    """
    both = torch.cat([rows, model])
    scaled = (both - both.mean(0)) / both.std(0).clamp_min(1e-6)
    cost = torch.cdist(scaled[: len(rows)], scaled[len(rows) :]).double().numpy()
    total = np.full((len(rows) + 1, len(model) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(rows)):
        for j in range(len(model)):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    path = np.zeros(len(rows), np.int64)
    i, j = len(rows), len(model)
    while i > 0:
        path[i - 1] = j - 1
        step = int(np.argmin((total[i - 1, j - 1], total[i - 1, j], total[i, j - 1])))
        i, j = i - (step != 2), j - (step != 1)
    return torch.from_numpy(path)
