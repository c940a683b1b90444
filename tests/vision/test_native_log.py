import os

import pytest

from facetalk.vision.native_log import Muted


def write(text: str) -> None:
    os.write(2, text.encode())


def test_nothing_that_native_code_writes_appears_until_the_last_overlapping_block_ends(
    capfd: pytest.CaptureFixture[str],
) -> None:
    muted = Muted()
    with muted:
        write("first ")
        with muted:
            write("second ")
        write("third ")
    write("after")
    assert capfd.readouterr().err == "after"


def test_stderr_returns_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), Muted():
        raise ValueError
    write("after")
    assert capfd.readouterr().err == "after"
