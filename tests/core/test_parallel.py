import pytest

from facetalk.core.parallel import each_in_parallel


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_comes_back_with_its_result(jobs: int) -> None:
    assert sorted(each_in_parallel(len, ["a", "bcd"], jobs)) == [("a", 1), ("bcd", 3)]


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(each_in_parallel(len, [], None)) == []
