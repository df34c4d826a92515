"""How schemes show themselves: their numbers, and where these come from."""

from __future__ import annotations

import html
from dataclasses import fields
from typing import Any

from ordercycle._errors import printable


class Shown:
    """The repr and the notebook view of a frozen dataclass with an `account` or without."""

    account: Any

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._options())
        origin = f"; {self.account.origin}" if self.account is not None else ""
        return printable(f"{type(self).__name__}({shown}{origin})")

    def _options(self) -> list[tuple[str, Any]]:
        """Return the fields that are shown, with their values."""
        return [
            (field.name, getattr(self, field.name))
            for field in fields(self)  # type: ignore[arg-type]
            if field.repr
        ]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(printable(str(value)))}</td></tr>"
            for name, value in self._options()
        )
        account = "" if self.account is None else html.escape(str(self.account))
        return (
            f"<b>{type(self).__name__}</b><table>{rows}</table>"
            f"<div>{account.replace(chr(10), '<br>')}</div>"
        )
