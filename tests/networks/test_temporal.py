from __future__ import annotations

import torch
from torch.nn import functional

from facetalk.networks.temporal import TemporalConfig, TemporalEnsemble

CONFIG = TemporalConfig(members=3, width=4, dilations=(1, 2), dropout=0.0)


def toy_ensemble(config: TemporalConfig = CONFIG) -> TemporalEnsemble:
    torch.manual_seed(0)
    return TemporalEnsemble(config, num_features=5, num_channels=2).eval()


def predict(ensemble: TemporalEnsemble, features: torch.Tensor) -> torch.Tensor:
    return ensemble(features, torch.ones(features.shape[:2], dtype=torch.bool))


def test_the_members_do_not_see_each_other() -> None:
    ensemble, features = toy_ensemble(), torch.randn(1, 20, 5)
    together, weights = predict(ensemble, features), ensemble.state_dict()

    def layer(name: str, rows: slice, x: torch.Tensor, dilation: int = 1) -> torch.Tensor:
        kernel, bias = weights[f"{name}.weight"][rows], weights[f"{name}.bias"][rows]
        return functional.conv1d(x, kernel, bias, padding=kernel.shape[2] // 2 * dilation, dilation=dilation)

    for member in range(CONFIG.members):
        own, outputs = slice(4 * member, 4 * member + 4), slice(2 * member, 2 * member + 2)
        x = functional.gelu(layer("embed", own, features.mT))
        for index, dilation in enumerate(CONFIG.dilations):
            x = x + functional.gelu(layer(f"layers.{index}", own, x, dilation))
        torch.testing.assert_close(together[:, member], layer("predict", outputs, x).mT)


def test_what_lies_beyond_the_reach_changes_nothing() -> None:
    ensemble, features = toy_ensemble(), torch.randn(1, 60, 5)
    changed = features.clone()
    changed[:, 30 + CONFIG.reach + 1 :] += 1.0
    first, second = predict(ensemble, features)[0, :, 30], predict(ensemble, changed)[0, :, 30]
    torch.testing.assert_close(first, second)
    changed[:, 30 + CONFIG.reach] += 1.0
    assert not torch.equal(predict(ensemble, changed)[0, :, 30], first)


def test_an_ensemble_without_members_predicts_nothing() -> None:
    empty = toy_ensemble(TemporalConfig())
    assert predict(empty, torch.randn(2, 7, 5)).shape == (2, 0, 7, 2)
    assert not list(empty.parameters()) and TemporalConfig().reach == 0
