from facetalk.audio.sampa import parse_lablaut

TEXT = """signal wochenAO
nfields 1
#
    0.100000   -1 _t
    0.150000   -1 !t\t+asp
    0.200000  121 a\t\t2
    0.250000   -1 \t-lar
    0.300000   -1 p
    0.350000   -1 pasp
    0.400000   -1 .
"""


def test_rows_become_phonemes_up_to_their_end_times() -> None:
    found = parse_lablaut(TEXT, 0.5)
    assert [phoneme.symbol for phoneme in found] == ["T", "T", "AA", "AA", "P", "P", "SIL", "SIL"]
    assert [phoneme.end_s for phoneme in found] == [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]
    assert found[0].start_s == 0


def test_labels_behind_the_end_are_cut() -> None:
    assert parse_lablaut(TEXT, 0.22)[-1].end_s == 0.22


def test_a_file_without_rows_is_silence() -> None:
    assert [phoneme.symbol for phoneme in parse_lablaut("signal x\n", 1.0)] == ["SIL"]
