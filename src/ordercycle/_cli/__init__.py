"""The command line."""

from ordercycle._cli.entry import main

__all__ = ["main"]
