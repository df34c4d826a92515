"""The command line."""

from ordercycle.cli.app import cli, main

__all__ = ["cli", "main"]
