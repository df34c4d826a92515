"""What users see is named by where they find it, not by the room in which it is written."""

from collections.abc import Callable
from typing import TypeVar

Named = TypeVar("Named", bound=Callable[..., object])


def public(module: str = "ordercycle") -> Callable[[Named], Named]:
    """Return a decorator that names ``module`` as the home of a public class or function.

    Reprs, tracebacks, pickles and the documentation then say ``ordercycle.OrderHistory``, a name
    that stays, whatever becomes of the rooms behind it.
    """

    def named(thing: Named) -> Named:
        thing.__module__ = module
        return thing

    return named
