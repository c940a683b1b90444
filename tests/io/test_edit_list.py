"""Lists of edits are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from facetalk.core.edit_list import Edit, EditList
from facetalk.core.errors import FacetalkError
from facetalk.io.edit_list import read_edit_list

GOOD = """\
version: 1
edits:
  - channel: browInnerUp
    span: [1.2, 2]
    offset: 0.3
  - {channel: jawOpen, span: [3, 3.5], value: 0.1, easing: linear, ease_s: 0, lock: true}
  - {channel: headYaw, gain: 0.5}
"""


def read(tmp_path: Path, text: str) -> EditList:
    path = tmp_path / "take.edits.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_edit_list(path)


def test_a_list_has_defaults(tmp_path: Path) -> None:
    first, second, third = read(tmp_path, GOOD).edits
    assert first == Edit("browInnerUp", (1.2, 2.0), offset=0.3)
    assert (first.easing, first.ease_s, first.lock) == ("smooth", 0.1, False)
    assert second == Edit("jawOpen", (3.0, 3.5), value=0.1, easing="linear", ease_s=0.0, lock=True)
    assert third == Edit("headYaw", gain=0.5)
    assert read(tmp_path, "version: 1").edits == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("edits: []", "does not state its version; begin it with the line `version: 1`"),
        ("- 1", "does not state its version"),
        ("version: 2", "version 2 is not known; this facetalk reads version 1"),
        ("version: [", "is not valid YAML: line 1"),
        ("version: 1\nedit: []", "unknown option edit; did you mean edits?"),
        ("version: 1\nedits: 7", "edits must be a list, not 7"),
        ("version: 1\nedits: [7]", "edits[1] is a section with options, not 7"),
        ("version: 1\nedits: [{chanel: jawOpen, offset: 1}]", "unknown option edits[1].chanel; did you mean channel?"),
        ("version: 1\nedits: [{channel: jawOpen}]", "edits[1]: give one of offset, value and gain, found none"),
        ("version: 1\nedits: [{channel: a, offset: 1, value: 1}]", "found offset and value"),
        ("version: 1\nedits: [{channel: a, offset: 1}, {channel: a, offset: x}]", "edits[2].offset must be a number"),
        ("version: 1\nedits: [{channel: a, offset: .nan}]", "edits[1].offset must be a finite number"),
        ("version: 1\nedits: [{channel: a, offset: 1e9}]", "offset=1e+09 is out of range"),
        ("version: 1\nedits: [{channel: a, gain: -1}]", "gain=-1 is out of range"),
        ("version: 1\nedits: [{channel: a, offset: 1, span: [2, 1]}]", "span=[2.0, 1.0] must be two times in seconds"),
        ("version: 1\nedits: [{channel: a, offset: 1, span: [1]}]", "edits[1].span needs 2 values, found 1"),
        ("version: 1\nedits: [{channel: a, offset: 1, easing: smoth}]", "unknown easing 'smoth'; did you mean smooth?"),
        ("version: 1\nedits: [{channel: a, offset: 1, ease_s: -1}]", "ease_s=-1 must not be negative"),
        ("version: 1\nedits: [{channel: a, offset: 1, lock: true}]", "lock needs a value to hold"),
        ("version: 1\nedits: [{channel: a, offset: 1, lock: 1}]", "edits[1].lock must be true or false, not 1"),
        ("version: 1\nedits: [{offset: 1}]", "edits[1] needs channel"),
        ("version: 1\nedits: &a [*a]", "anchors and aliases are not read"),
        ("version: 1\n# \udcff", "is not a text in UTF-8"),
        ("version: 1\n" + "#" * (1 << 21), "is too long for a list of edits"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FacetalkError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "take.edits.yaml" in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_list_is_bounded() -> None:
    with pytest.raises(ValueError, match="1001 edits; at most 1000 are read"):
        EditList(1, (Edit("jawOpen", gain=2.0),) * 1001)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match=r"no such file: .*none.edits.yaml"):
        read_edit_list(tmp_path / "none.edits.yaml")
