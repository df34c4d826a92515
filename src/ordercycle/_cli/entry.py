"""Where the `ordercycle` command begins: also where its libraries cannot be imported."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        from ordercycle._cli.app import main as run
    except ImportError as error:
        _run_without_libraries(error)
    run()


def _run_without_libraries(error: ImportError) -> NoReturn:
    """Say what cannot be imported, as the doctor would; it alone needs nothing of it."""
    from ordercycle._cli.doctor import doctor
    from ordercycle._cli.errors import say

    if sys.argv[1:2] == ["doctor"]:
        doctor.main(sys.argv[2:], prog_name="ordercycle doctor")
    say(f"ordercycle: {error}; `ordercycle doctor` says what is wrong, and what to do")
    raise SystemExit(1) from error
