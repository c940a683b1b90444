from __future__ import annotations

import torch

from facetalk.networks.critics import PatchCriticConfig, StyleCritic, SyncCritic, SyncCriticConfig, TemporalCritic

PATCHES = PatchCriticConfig(widths=(8, 12), dropout=0.0)


def test_likeness_is_a_probability_and_does_not_depend_on_the_order_of_vertices() -> None:
    torch.manual_seed(0)
    critic = SyncCritic(7, SyncCriticConfig(point_widths=(8, 16), width=12)).eval()
    mouth, rest, features = torch.randn(3, 20, 9, 3), torch.randn(9, 3), torch.randn(3, 20, 7)
    similarity = critic(mouth, rest, features)
    assert similarity.shape == (3, 16)
    assert ((similarity >= 0) & (similarity <= 1)).all()
    order = torch.randperm(9)
    torch.testing.assert_close(critic(mouth[:, :, order], rest[order], features), similarity)


def test_a_moment_is_judged_by_the_five_frames_around_the_mouth() -> None:
    torch.manual_seed(0)
    critic = SyncCritic(7, SyncCriticConfig(point_widths=(8,), width=12)).eval()
    mouth, rest, features = torch.randn(1, 20, 9, 3), torch.randn(9, 3), torch.randn(1, 20, 7)
    changed = mouth.clone()
    changed[:, 10] += 1
    moved = (critic(changed, rest, features) != critic(mouth, rest, features))[0].nonzero().flatten() + 2
    assert set(moved.tolist()) <= {8, 9, 10, 11, 12}


def test_the_style_critic_gives_logits_and_the_temporal_one_patches() -> None:
    torch.manual_seed(0)
    motion = torch.randn(2, 64, 52)
    assert StyleCritic(52, 5, PATCHES)(motion).shape == (2, 5)
    critic = TemporalCritic(52, PATCHES)
    assert critic(motion).shape == (2, 16)
    torch.testing.assert_close(critic(motion + 3), critic(motion), atol=1e-5, rtol=1e-4)  # levels are style's business
