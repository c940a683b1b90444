"""Logistic regression: classes from standardized rows, with as little weight as tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

DECAY = 0.02
_STEPS = 80


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """A linear classifier of standardized rows."""

    mean: Float[Tensor, " features"]
    spread: Float[Tensor, " features"]
    layer: nn.Linear

    @classmethod
    def fitted(
        cls,
        rows: Float[Tensor, "members features"],
        classes: Int64[Tensor, " members"],
        num_classes: int,
        *,
        least_spread: float = 1e-4,
        decay: float = DECAY,
        shares: Float[Tensor, " members"] | None = None,
    ) -> LinearClassifier:
        """Logistic regression in which every class that occurs counts the same.

        Args:
            rows: what it sees.
            classes: true classes.
            num_classes: how many there are.
            least_spread: columns that vary less are not scaled up further.
            decay: weight of the squared weights.
            shares: how much each row counts within its class; all the same if None.
        """
        shares = torch.ones(len(rows)) if shares is None else shares
        totals = torch.zeros(num_classes).index_add(0, classes, shares)
        weight = shares / totals[classes].clamp_min(1e-12)
        weight = weight / weight.sum()
        mean = (shares[:, None] * rows).sum(0) / shares.sum()
        variance = (shares[:, None] * (rows - mean).square()).sum(0) / shares.sum()
        spread = variance.sqrt().clamp_min(least_spread)
        classifier = cls(mean, spread, nn.Linear(rows.shape[1], num_classes))
        scaled = (rows - mean) / spread
        with torch.enable_grad():
            nn.init.zeros_(classifier.layer.weight)
            nn.init.zeros_(classifier.layer.bias)
            optimizer = torch.optim.LBFGS(classifier.layer.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

            def loss() -> Tensor:
                optimizer.zero_grad()
                error = functional.cross_entropy(classifier.layer(scaled), classes, reduction="none")
                total = (weight * error).sum() + decay * classifier.layer.weight.square().sum()
                total.backward()
                return total

            optimizer.step(loss)
        classifier.layer.requires_grad_(False)
        return classifier

    def unscaled(self) -> tuple[Float[Tensor, "classes features"], Float[Tensor, " classes"]]:
        """Weight and bias of a layer that does the same to rows that are not standardized."""
        weight = self.layer.weight / self.spread
        return weight, self.layer.bias - weight @ self.mean

    def classify(self, rows: Float[Tensor, "members features"]) -> Int64[Tensor, " members"]:
        """The most likely class of each."""
        return self.layer((rows - self.mean) / self.spread).argmax(1)

    def accuracy(self, rows: Float[Tensor, "members features"], classes: Int64[Tensor, " members"]) -> float:
        """Share of the rows whose class it finds."""
        return float((self.classify(rows) == classes).float().mean())
