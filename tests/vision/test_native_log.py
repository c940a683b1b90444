import os
import subprocess
import sys

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


def test_what_python_writes_appears_also_from_other_threads() -> None:
    program = """
import logging, os, sys, threading
from facetalk.vision.native_log import Muted
muted = Muted()
for number in range(3):
    with muted:
        os.write(2, b"native")
        with muted:
            print("python", number, file=sys.stderr)
        thread = threading.Thread(target=logging.getLogger("facetalk").warning, args=["thread %d", number])
        thread.start()
        thread.join()
    print("after", number, file=sys.stderr)
os.write(2, b"end")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "".join(f"python {n}\nthread {n}\nafter {n}\n" for n in range(3)) + "end"


def test_a_process_without_stderr_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with Muted():
        assert sys.stderr is None
