"""The program `facetalk`, also as `python -m facetalk`."""

from __future__ import annotations

import gc
import sys

try:
    from facetalk.core.interruption import acknowledge, handle_signals, interruption_code, leave, was_interrupted
except KeyboardInterrupt:  # within the first milliseconds
    sys.stderr.write("interrupted\n")
    sys.exit(130)


def main() -> None:
    """Run the command line; nothing slow is imported before signals are handled."""
    handle_signals()
    spare_imports()
    arguments = sys.argv[1:]
    try:
        from facetalk.core.streams import prepare_streams

        prepare_streams()
        from facetalk.core.light_torch import defer_parts_of_torch

        defer_parts_of_torch()
        from facetalk.cli.app import run

        code = run(arguments)
    except BaseException:
        # An interrupted import may end in any error.
        if not was_interrupted():
            raise
        code = interruption_code()
    if was_interrupted():
        if not acknowledge():  # before the command had begun
            from facetalk.cli.output import print_early_error

            sys.stderr.write("interrupted\n")
            print_early_error(arguments, "interrupted", interruption_code())
        code = interruption_code()
    leave(code)  # sys.exit would take apart torch and all else in memory for a third of a second


def spare_imports() -> None:
    """Collect no garbage until more objects are there than imports leave, 230 000, and then every 50 000 objects."""
    gc.set_threshold(300_000)
    gc.callbacks.append(_collect_as_usual)


def _collect_as_usual(phase: str, info: dict[str, int]) -> None:
    gc.callbacks.remove(_collect_as_usual)
    gc.set_threshold(50_000)


if __name__ == "__main__":
    main()
