import os

import pytest

from facetalk.core.text import one_line, table_name, unicode_name

LATIN = os.fsdecode(b"ok\xe9.wav")


def test_names_become_unicode_without_losing_what_they_are() -> None:
    assert unicode_name(LATIN) == r"ok\xe9.wav"
    assert unicode_name("ü中.wav") == "ü中.wav"
    assert table_name(LATIN) == "ok%e9.wav"
    assert table_name(r"a\x.wav") == r"a\x.wav"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 中 [red]", "plain ü 中 [red]"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[31mred\x9b", r"\x1b[31mred\x9b"),
        ("right\u202eto left", r"right\u202eto left"),
        (LATIN, r"ok\xe9.wav"),
    ],
)
def test_nothing_in_a_name_steers_a_terminal(text: str, shown: str) -> None:
    assert one_line(text) == shown
    one_line(text).encode("utf-8")
