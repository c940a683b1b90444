"""What facetalk costs: `python -m benchmarks`, described in docs/speed.md."""
