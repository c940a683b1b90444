"""A transcript in a recording: what fits is certain, what does not fit changes nothing."""

from __future__ import annotations

from itertools import pairwise

import torch

from facetalk.audio.known_speech import find_speech
from facetalk.audio.phonemes import PHONEME_IDS
from facetalk.audio.segmentation import PhonemeTrack
from facetalk.audio.transcript import SaidText, Transcript
from facetalk.core.events import Event
from tests.audio.voicing import heard

HAPPY_BOB = "SIL SIL HH AE P IY SIL B AA B SIL SIL"


def test_what_is_heard_uncertainly_becomes_certain() -> None:
    rows = heard(HAPPY_BOB)
    p = PHONEME_IDS["P"]
    unsure = rows.clone()
    unsure[:, p] *= 0.2
    unsure[:, PHONEME_IDS["T"]] += 0.5 * rows[:, p]
    known = find_speech(unsure, Transcript.of_text("Happy Bob"))
    assert [word.label for word in known.words] == ["Happy", "Bob"]
    sharp = known.sharpened(unsure)
    assert sharp[12:15, p].tolist() == [1, 1, 1]
    assert torch.equal(sharp[:6], unsure[:6])
    halves = torch.cat([known.sharpened(unsure[:13]), known.sharpened(unsure[13:], 13)])
    assert torch.equal(halves, sharp)
    (weak,) = [event for event in known.phonemes if event.label == "P"]
    assert weak.strength is not None and weak.strength < 0.6


def test_a_wrong_text_changes_nothing() -> None:
    rows = heard("SIL SH OW TH ER UW SH AY SIL Z OY R SIL")
    known = find_speech(rows, Transcript.of_text("Big Bob paid five pumpkins"))
    assert (known.words, known.phonemes) == ((), ())
    assert torch.equal(known.sharpened(rows), rows)


def test_known_and_heard_phonemes_together_cover_the_recording() -> None:
    rows = heard("SIL SH OW Z SIL HH AE P IY SIL B AA B SIL TH ER")
    track = PhonemeTrack()
    track.feed(rows)
    events = find_speech(rows, Transcript.of_text("Happy Bob")).with_heard(track.finish())
    sounds = [event for event in events if event.kind == "phoneme"]
    assert [event.label for event in sounds] == [
        "SIL",
        "SH",
        "OW",
        "Z",
        "SIL",
        "HH",
        "AE",
        "P",
        "IY",
        "SIL",
        "B",
        "AA",
        "B",
        "SIL",
        "TH",
        "ER",
    ]
    edges = [(one.end, other.start) for one, other in pairwise(sounds)]
    assert all(abs(end - start) < 1e-9 for end, start in edges)
    assert [event.label for event in events if event.kind == "word"] == ["Happy", "Bob"]


def test_known_times_are_kept_and_a_short_closure_has_a_frame() -> None:
    said = (Event("phoneme", 0.105, 0.112, "P"), Event("phoneme", 0.112, 0.3, "AA"), Event("word", 0.105, 0.3, "pa"))
    known = find_speech(heard("SIL AA AA SIL"), Transcript(events=said))
    assert known.phonemes == said[:2]
    assert known.words == said[2:]
    assert known.labels.tolist() == [-1] * 3 + [PHONEME_IDS["P"]] + [PHONEME_IDS["AA"]] * 5 + [-1] * 3


def test_words_are_looked_for_within_the_times_of_their_subtitle() -> None:
    rows = heard(f"{HAPPY_BOB} {HAPPY_BOB}")
    known = find_speech(rows, Transcript((SaidText("Happy Bob", 1.2, 2.4),)))
    assert [round(word.start, 1) for word in known.words] == [1.4, 1.9]
    exact = find_speech(rows, Transcript((SaidText("Bob", 0.65, 1.05, is_exact=True),)))
    assert [(word.start, word.end) for word in exact.words] == [(0.65, 1.05)]


def test_a_transcript_is_cut_with_its_recording() -> None:
    parts = (SaidText("a", 0, 1), SaidText("b", 1, 3), SaidText("c"))
    cut = Transcript(parts, (Event("word", 0.5, 2.5, "x"),)).cut(1.0, 2.0)
    assert [(part.text, part.start_s, part.end_s) for part in cut.parts] == [("b", 0, 1), ("c", 0, 1)]
    assert cut.events == (Event("word", 0, 1, "x"),)
    assert Transcript(parts).cut(0, None).parts == parts
