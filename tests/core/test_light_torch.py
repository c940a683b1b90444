"""Programs that leave parts of torch for later compute the same as others; each runs in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PREAMBLE = """
import json, re, sys, warnings
warnings.simplefilter("ignore")
from facetalk.core.deferred_imports import DeferredModule
from facetalk.core.light_torch import defer_parts_of_torch
if sys.argv[1] == "light":
    defer_parts_of_torch()
import torch
import torch.nn.functional as F
torch.manual_seed(0)
"""

STEPS = """
def deferred():
    return sorted(name for name, module in sys.modules.items() if type(module) is DeferredModule)
def tables():
    dispatch = torch._C
    return {name: re.sub("0x[0-9a-f]+", "", dispatch._dispatch_dump(name) + dispatch._dispatch_dump_table(name))
            for name in dispatch._dispatch_get_all_op_names()}

layers = torch.nn.Sequential(torch.nn.Conv1d(3, 8, 3), torch.nn.GELU(), torch.nn.Flatten(), torch.nn.Linear(48, 2))
layers(torch.rand(4, 3, 8, generator=torch.Generator().manual_seed(1))).square().mean().backward()
before = tables()
deferred_before = deferred()

empty = torch.ones(2, 3, 16).to("meta")
made = [empty + 1, F.conv1d(empty, torch.empty(4, 3, 3, device="meta")), empty.sort()[0], F.layer_norm(empty, (16,)),
        torch.fft.rfft(empty), F.scaled_dot_product_attention(empty, empty, empty), torch.linalg.svd(empty)[1]]
with torch.device("meta"):
    made.append(torch.nn.TransformerEncoderLayer(16, 2, batch_first=True)(torch.empty(2, 5, 16)))
shapes = [[tensor.shape, tensor.stride(), str(tensor.dtype)] for tensor in made]
deferred_after = deferred()
torch.export.Dim
print(json.dumps({"gradient": layers[0].weight.grad.tolist(), "before": before, "deferred before": deferred_before,
                  "shapes": shapes, "deferred after": deferred_after, "after": tables()}))
"""

USES = """
values = torch.rand(4, 3)
made = [torch.vmap(torch.addr)(values, values, values), torch.func.jacfwd(torch.erf)(values[0])]

import torch.autograd.forward_ad as forward
with forward.dual_level():
    made.append(forward.unpack_dual(F.layer_norm(forward.make_dual(values, torch.ones(4, 3)), (3,))).tangent)
made.append(torch._refs.add(values, values))
assert torch.ops.prims.add.default

layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(), torch.nn.GELU())
optimizer = torch.optim.AdamW(layers.parameters())
for run in (layers, torch.compile(layers, backend="aot_eager")):
    run(values).square().sum().backward()
    optimizer.step()
print(json.dumps([tensor.tolist() for tensor in (*made, *layers.parameters())]))
"""


def run(code: str, how: str) -> Any:
    """What a program prints."""
    done = subprocess.run([sys.executable, "-c", PREAMBLE + code, how], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def light() -> dict[str, Any]:
    return run(STEPS, "light")


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return run(STEPS, "whole")


@pytest.mark.slow
def test_networks_and_gradients_load_no_deferred_part(light: dict[str, Any], whole: dict[str, Any]) -> None:
    assert light["gradient"] == whole["gradient"]
    assert {"torch._meta_registrations", "torch._decomp", "torch._prims", "torch._refs"} <= set(
        light["deferred before"]
    )
    assert whole["deferred before"] == []


@pytest.mark.slow
def test_what_is_registered_later_is_for_tensors_without_data(light: dict[str, Any], whole: dict[str, Any]) -> None:
    some, everything = light["before"], whole["before"]
    missing = {name.partition("::")[0] for name in everything.keys() - some.keys()}
    assert missing <= {"prims", "rngprims", "debugprims", "export"}
    lines = [line for name in some for line in set(some[name].splitlines()) ^ set(everything[name].splitlines())]
    # What it registers for Apple's GPUs is why nothing is deferred on Macs.
    assert {line.partition(":")[0].partition(" ")[0] for line in lines} - {"MPS"} == {"Meta"}


@pytest.mark.slow
def test_the_first_tensor_without_data_loads_the_shapes(light: dict[str, Any], whole: dict[str, Any]) -> None:
    assert light["shapes"] == whole["shapes"]
    assert not {"torch._meta_registrations", "torch._refs"} & set(light["deferred after"])


@pytest.mark.slow
def test_after_first_use_everything_is_registered(light: dict[str, Any], whole: dict[str, Any]) -> None:
    assert light["after"] == whole["after"]


@pytest.mark.slow
def test_what_needs_a_deferred_part_finds_it() -> None:
    assert run(USES, "light") == run(USES, "whole")
