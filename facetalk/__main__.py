"""The program `facetalk`, also as `python -m facetalk`."""

from __future__ import annotations

import gc
import sys

try:
    from facetalk.core.interruption import (
        acknowledge,
        before_leaving,
        handle_signals,
        interruption_code,
        leave,
        was_interrupted,
    )
except KeyboardInterrupt:  # within the first milliseconds
    sys.stderr.write("interrupted\n")
    sys.exit(130)


def main() -> None:
    """Run the command line; nothing slow is imported before signals are handled."""
    handle_signals()
    spare_imports()
    arguments = sys.argv[1:]
    before_leaving(lambda: _say_interrupted(arguments))
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
        _say_interrupted(arguments)  # where the command had not begun
        code = interruption_code()
    leave(code)  # sys.exit would take apart torch and all else in memory for a third of a second


def _say_interrupted(arguments: list[str]) -> None:
    """Say that a run was interrupted unless that was said, as JSON where it was asked for.

    Also called from a thread while the main one hangs, maybe within an import: so nothing is imported here.
    """
    if acknowledge():
        return
    sys.stderr.write("interrupted\n")
    entries = f'"error": "interrupted", "exit_code": {interruption_code()}}}\n'
    if "--json" in arguments:
        sys.stdout.write("{" + entries)
    elif "--json-lines" in arguments:
        sys.stdout.write('{"event": "summary", ' + entries)


def spare_imports() -> None:
    """Collect no garbage until more objects are there than imports leave, 230 000, and then every 50 000 objects."""
    gc.set_threshold(300_000)
    gc.callbacks.append(_collect_as_usual)


def _collect_as_usual(phase: str, info: dict[str, int]) -> None:
    gc.callbacks.remove(_collect_as_usual)
    gc.set_threshold(50_000)


if __name__ == "__main__":
    main()
