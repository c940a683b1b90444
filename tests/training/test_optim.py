import pytest
from torch import nn

from facetalk.training.optim import OptimConfig, learning_rate, make_optimizer, set_learning_rate


def test_parameters_have_their_own_rates_and_vectors_do_not_decay() -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(2, 2), "decoder": nn.Linear(2, 2)})
    model["decoder"].bias.requires_grad_(False)
    optimizer = make_optimizer(model, OptimConfig(weight_decay=0.1, rates={"encoder.*": 0.5}))
    set_learning_rate(optimizer, 0.2)
    found = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert found == {
        id(model["encoder"].weight): (0.1, 0.1),
        id(model["encoder"].bias): (0.1, 0.0),
        id(model["decoder"].weight): (0.2, 0.1),
    }


def test_the_schedule_begins_anew_where_a_second_stage_does() -> None:
    two, one = OptimConfig(warmup_steps=5, restart_step=40), OptimConfig(warmup_steps=5)
    for step in (0, 4, 20, 39):
        assert learning_rate(two, step, 100) == pytest.approx(learning_rate(one, step, 40))
        assert learning_rate(two, 40 + step, 100) == pytest.approx(learning_rate(one, step, 60))
