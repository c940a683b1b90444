"""`python -m facetalk`."""

from facetalk.cli.app import main

if __name__ == "__main__":
    main()
