import threading

import pytest
import torch

from facetalk.core import threads
from facetalk.core.threads import in_threads


def test_results_keep_the_order_of_the_items() -> None:
    assert in_threads(lambda x: x * x, range(50)) == [x * x for x in range(50)]


def test_a_failure_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda x: 1 // x, [1, 0, 2])


def test_work_that_shares_its_own_work_ends() -> None:
    assert in_threads(lambda x: sum(in_threads(lambda y: x * y, range(10))), range(20)) == [45 * x for x in range(20)]


def test_one_core_works_in_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_most_cores", 1)
    assert set(in_threads(lambda _: threading.get_ident(), range(5))) == {threading.get_ident()}


def test_operations_of_torch_use_one_thread_each_and_afterwards_as_many_as_before() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert set(in_threads(lambda _: torch.get_num_threads(), range(5))) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
