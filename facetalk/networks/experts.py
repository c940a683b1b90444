"""Networks that judge pictures for other networks: they stay as they are, and gradients pass through them."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)

MOUTH_SIDE = 88
"""Side in pixels of the middle part of a mouth crop that lip readers see (METHODS 4.3)."""


@runtime_checkable
class LipReader(Protocol):
    """Sees a mouth speak; ours or a published one."""

    def features(self, mouths: Float[Tensor, "batch frames 88 88"]) -> Float[Tensor, "batch frames features"]:
        """What it sees in every frame.

        Args:
            mouths: grey in [0, 1].
        """
        ...


@runtime_checkable
class ExpressionReader(Protocol):
    """Sees the expression of a face; ours or a published one."""

    @property
    def image_size(self) -> int:
        """Side of the pictures it wants, pixels."""
        ...

    def features(self, faces: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch features"]:
        """What it sees in every picture.

        Args:
            faces: RGB in [0, 1].
        """
        ...


def frozen(network: AnyModule) -> AnyModule:
    """The network in eval mode, with weights that no longer learn."""
    return network.eval().requires_grad_(False)
