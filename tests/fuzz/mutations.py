"""Changes of a file's bytes: some of any format, some that know a format and leave the rest of the file valid."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable

import numpy as np

TOKENS = (
    b"nan", b"-inf", b"1e999", b"-1", b"0", b"1e30", b"9" * 5000, b"null", b"true", b"", b'"', b"'", b"2001-01-01",
    b"&a [*a, *a]", b"*a", b"!!python/object/apply:os.getcwd []", b"[" * 300, b"{" * 300, b"? ", b"- - - -", b"../x",
    b"/etc/passwd", b"\x1b[31m", b"\n", b"\xff\xfe", b"\x00", b"x" * 300, b"1:1:1:1", b"0x" + b"f" * 40, b",,,", b":",
)  # fmt: skip
"""Put in place of a word or a number of a text."""

_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 2**40, 2**63 - 1, 2**64 - 1)
_WORD = re.compile(rb"[\w.+-]+")


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Leave out the end."""
    return data[: rng.randrange(len(data) + 1)]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Flip up to eight bits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def splice(data: bytes, rng: random.Random) -> bytes:
    """Copy a piece to another place, over what is there or between."""
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randint(1, max(1, len(data) // 4))]
    place = rng.randrange(len(data))
    return data[:place] + piece + data[place + rng.choice((0, len(piece))) :]


def remove(data: bytes, rng: random.Random) -> bytes:
    """Leave out a piece."""
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randint(1, max(1, len(data) // 4)) :]


def fill(data: bytes, rng: random.Random) -> bytes:
    """Overwrite a piece with one byte or noise."""
    start = rng.randrange(len(data))
    length = min(len(data) - start, rng.randint(1, 64))
    piece = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    return data[:start] + piece + data[start + length :]


def edit_length(data: bytes, rng: random.Random) -> bytes:
    """Put an extreme number where a length may be, mostly near the start."""
    form = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(form)
    place = rng.randrange(min(len(data), rng.choice((64, 1024, len(data)))))
    value = rng.choice(_EXTREMES) & ((1 << 8 * size) - 1)
    return data[:place] + struct.pack(form, value) + data[place + size :]


def edit_token(data: bytes, rng: random.Random) -> bytes:
    """Put a troublesome token in place of a word of a text."""
    words = list(_WORD.finditer(data))
    if not words:
        return rng.choice(TOKENS)
    word = rng.choice(words)
    return data[: word.start()] + rng.choice(TOKENS) + data[word.end() :]


def edit_line(data: bytes, rng: random.Random) -> bytes:
    """Repeat, leave out or exchange lines."""
    lines = data.split(b"\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(3)
    if kind == 0:
        lines.insert(first, lines[second])
    elif kind == 1:
        del lines[first]
    else:
        lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def edit_members(data: bytes, rng: random.Random) -> bytes:
    """Exchange, rename, repeat, leave out or mutate the members of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    first, second = rng.randrange(len(members)), rng.randrange(len(members))
    name, content = members[first]
    kind = rng.randrange(6)
    if kind == 0:
        members[first], members[second] = (name, members[second][1]), (members[second][0], content)
    elif kind == 1:
        members[first] = (
            rng.choice((members[second][0], "../" + name, "/" + name, name + "\n", "\x1b[31m", "")),
            content,
        )
    elif kind == 2:
        members.insert(second, (name, content))
    elif kind == 3:
        del members[first]
    else:
        members[first] = (name, edit_array(content, rng) if name.endswith(".npy") else any_bytes(content, rng))
    packed = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", method) as archive:
        warnings.simplefilter("ignore")  # names may occur twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return packed.getvalue()


def edit_array(data: bytes, rng: random.Random) -> bytes:
    """Change the header or the values of a `.npy` file."""
    if len(data) < 12 or rng.random() < 0.3:
        return any_bytes(data, rng)
    length = struct.unpack("<H", data[8:10])[0]
    header, values = data[10 : 10 + length], data[10 + length :]
    if rng.random() < 0.5:
        header = edit_token(header, rng)
        return data[:8] + struct.pack("<H", min(len(header), 65_535)) + header + values
    number = rng.choice((np.nan, np.inf, 1e30, -1e30, -1, 0, 1e9))
    try:
        kind = np.lib.format.read_magic(io.BytesIO(data)) and np.load(io.BytesIO(data)).dtype
        array = np.frombuffer(values, kind).copy()
        with np.errstate(all="ignore"):
            array[rng.randrange(len(array)) if rng.random() < 0.5 else slice(None)] = number
        return data[: 10 + length] + array.tobytes()
    except (ValueError, TypeError, OverflowError):
        return any_bytes(data, rng)


def edit_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Change the description of the tensors, and keep its length valid."""
    (length,) = struct.unpack("<Q", data[:8])
    header, values = data[8 : 8 + length], data[8 + length :]
    if rng.random() < 0.5:
        header = edit_token(header, rng)
    else:
        described = json.loads(header)
        entry = described[rng.choice([key for key in described if key != "__metadata__"])]
        field = rng.choice(("dtype", "shape", "data_offsets"))
        entry[field] = rng.choice(("F64", "I8", "BF16", "BOOL", "F8_E4M3", [], [2**62, 4], [-1], [0, 4], 3, None))
        header = json.dumps(described).encode()
    return struct.pack("<Q", len(header)) + header + values


def edit_document(data: bytes, rng: random.Random) -> bytes:
    """Change one value of a `.glb`'s document, anywhere in it, and keep the file's lengths valid."""
    (length,) = struct.unpack_from("<I", data, 12)
    document, rest = json.loads(data[20 : 20 + length]), data[20 + length :]
    places: list[tuple[dict[str, object] | list[object], str | int]] = []
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            places.append((holder, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    holder, key = rng.choice(places)
    if isinstance(holder, dict) and rng.random() < 0.2:
        holder.pop(str(key))
    else:
        other, name = rng.choice(places)
        same = other[name]  # type: ignore[index]
        holder[key] = rng.choice((0, 1, -1, 2**31, 1e30, 0.5, True, None, "", "../x", [], {}, [0], same))  # type: ignore[index]
    try:
        text = json.dumps(document).encode()
    except (ValueError, RecursionError):  # something holds itself now
        return any_bytes(data, rng)
    text += b" " * (-len(text) % 4)
    return data[:8] + struct.pack("<II4s", 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


_BYTES = (truncate, flip_bits, splice, remove, fill, edit_length)


def any_bytes(data: bytes, rng: random.Random) -> bytes:
    """One of the changes that know no format; up to three of them."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not data:
            break
        data = rng.choice(_BYTES)(data, rng)
    return data


SPECIAL: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    "text": (edit_token, edit_token, edit_line),
    "zip": (edit_members,),
    "npy": (edit_array,),
    "safetensors": (edit_safetensors,),
    "glb": (edit_document,),
    "binary": (),
}


def mutate(data: bytes, form: str, rng: random.Random) -> bytes:
    """The content of a file with some changes.

    Args:
        data: of a valid file.
        form: `text`, `zip`, `npy`, `safetensors`, `glb` or `binary`.
        rng: makes all choices.
    """
    special = SPECIAL[form]
    if not special or rng.random() < 0.3:
        return any_bytes(data, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4)) if form == "text" else 1):
        data = rng.choice(special)(data, rng)
    return data
