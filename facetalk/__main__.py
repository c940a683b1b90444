"""The program `facetalk`, also as `python -m facetalk`."""

from __future__ import annotations

import sys

from facetalk.core.interruption import handle_signals, interruption_code, leave, was_interrupted
from facetalk.core.streams import prepare_streams


def main() -> None:
    """Run the command line; nothing slow is imported before signals are handled."""
    prepare_streams()
    handle_signals()
    try:
        from facetalk.cli.app import run

        code = run(sys.argv[1:])
    except BaseException:
        # An interrupted import may end in any error.
        if not was_interrupted():
            raise
        sys.stderr.write("interrupted\n")
        code = interruption_code()
    if was_interrupted():
        leave(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
