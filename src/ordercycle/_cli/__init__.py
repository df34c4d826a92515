"""The command line."""

from ordercycle._cli.app import cli, main

__all__ = ["cli", "main"]
