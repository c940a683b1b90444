"""Mutated files of every kind that facetalk opens: each must be read, or refused in one line.

`python -m tests.fuzz --count 4000 --seed 0` runs many in a process that is watched; `test_fuzz.py` runs some of them.
"""
