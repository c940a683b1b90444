"""Convolutions over time, fed piece by piece, with the result of the whole input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Layer = Callable[[Float[Tensor, "1 width rows"]], Tensor]
"""Returns the rows that see enough of the input on both sides: fewer than it gets."""


class StreamedLayer:
    """One layer whose input comes piece by piece."""

    def __init__(self, layer: Layer, width: int, reach: int, stride: int = 1) -> None:
        """Begin an input.

        Args:
            layer: what is computed.
            width: channels of the input.
            reach: rows of the input to either side that a row of the output depends on; beyond the ends they are zero.
            stride: rows of the input from one row of the output to the next.
        """
        self._layer, self._reach, self._stride = layer, reach, stride
        self._held = torch.zeros(1, width, reach)
        """The rows that outputs to come depend on."""

    def feed(self, rows: Float[Tensor, "1 width rows"], ending: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Take the next rows.

        Args:
            rows: of the input, which follow those of the call before.
            ending: the rows that would follow if the input ended soon; they are not taken.

        Returns:
            The outputs that do not depend on later rows, and those that would follow if the input had this ending.
        """
        rows = torch.cat([self._held, rows], 2)
        count = max(0, (rows.shape[2] - 2 * self._reach - 1) // self._stride + 1)
        self._held = rows[..., count * self._stride :]
        if ending is None:
            return self._outputs(rows), None
        # Both at once: what a few rows cost is to read the weights.
        outputs = self._outputs(torch.nn.functional.pad(torch.cat([rows, ending], 2), (0, self._reach)))
        return outputs[..., :count], outputs[..., count:]

    def _outputs(self, rows: Float[Tensor, "1 width rows"]) -> Tensor:
        missing = 2 * self._reach + 1 - rows.shape[2]
        if missing <= 0:
            return self._layer(rows)
        return self._layer(torch.nn.functional.pad(rows, (0, missing)))[..., :0]  # none, of the right width


class StreamedLayers:
    """Layers one after the other."""

    def __init__(self, layers: Sequence[StreamedLayer]) -> None:
        self._layers = layers

    def feed(self, rows: Tensor, ending: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """See `StreamedLayer.feed`."""
        for layer in self._layers:
            rows, ending = layer.feed(rows, ending)
        return rows, ending
