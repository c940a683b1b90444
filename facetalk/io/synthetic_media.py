"""What an MP4 file says about being synthetic: tags that players show, and XMP with IPTC's digital source type.

Tags survive copying, remuxing by ffmpeg and most editors; platforms that label synthetic media read the XMP.
Encoding again may drop both.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from xml.sax.saxutils import escape

from facetalk.core.version import __version__

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's name of media that a trained model has made."""

XMP_BOX = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
"""Identifies the box of an MP4 file that holds XMP (XMP specification, part 3)."""

_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
<xmp:CreatorTool>{tool}</xmp:CreatorTool><xmp:CreateDate>{time}</xmp:CreateDate>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>
"""


@dataclass(frozen=True)
class Disclosure:
    """What a file states about how it was made."""

    tags: Mapping[str, str]
    """By the names that ffmpeg gives them."""
    xmp: str


def synthetic(what: str, time: datetime | None = None) -> Disclosure:
    """State that a video is synthetic, with the program, its version and the time.

    Args:
        what: what was drawn, and how.
        time: when; now if not given.
    """
    stamp = (time or datetime.now(timezone.utc)).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    tool = f"facetalk {__version__}"
    text = f"Synthetic media: {what}; made by {tool} at {stamp}"
    tags = {"comment": text, "description": text, "creation_time": stamp}
    values = {"source_type": SOURCE_TYPE, "tool": tool, "time": stamp, "text": text}
    return Disclosure(tags, _XMP.format(**{name: escape(value) for name, value in values.items()}))


def append_xmp(path: Path, xmp: str) -> None:
    """Add a box with XMP at the end of a finished MP4 file, where it moves nothing else."""
    content = XMP_BOX + xmp.encode("utf-8")
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 8 + len(content), b"uuid") + content)
