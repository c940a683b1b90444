"""Fixed networks whose features losses compare: gradients pass through them, their weights do not change."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)

MOUTH_SIDE = 88
"""Side in pixels of the middle part of a mouth crop that lip readers use."""


@runtime_checkable
class LipReader(Protocol):
    """A lip reader, ours or a published one."""

    def features(self, mouths: Float[Tensor, "batch frames 88 88"]) -> Float[Tensor, "batch frames features"]:
        """Features of every frame.

        Args:
            mouths: gray in [0, 1].
        """
        ...


@runtime_checkable
class ExpressionReader(Protocol):
    """An expression network, ours or a published one."""

    @property
    def image_size(self) -> int:
        """Side of its input images, pixels."""
        ...

    def features(self, faces: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch features"]:
        """Features of every image.

        Args:
            faces: RGB in [0, 1].
        """
        ...


def frozen(network: AnyModule) -> AnyModule:
    """The network in eval mode, with weights that do not train."""
    return network.eval().requires_grad_(False)
