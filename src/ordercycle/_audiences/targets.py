"""What each target takes: how it writes what is known of people, and the columns of its files."""

from __future__ import annotations

from dataclasses import dataclass

from ordercycle._errors import check_choice
from ordercycle_kernels.contact_texts import GMAIL, SPACES_OUT

#: Customers below which nobody looks for others like them, in one country.
SEED = 100


@dataclass(frozen=True)
class Column:
    """A column of a file: its header, what it holds (None: nothing), and whether it is hashed.

    number: of several columns of one kind, from 0.
    """

    header: str
    role: str | None = None
    number: int = 0
    hashed: bool = False


@dataclass(frozen=True)
class Target:
    """A place that lists go to.

    identifiers: what people are found by; addresses: changes of `clean_addresses`; plus: whether
    numbers begin with one when they are hashed and written; details: how what else is known is
    written ("folded": in small letters, "plain": as it is); columns: of its files, None where they
    are those that there are; takes_hashes: whether it takes hashes at all; needs_address: whether
    names, postcode and country find people, all of them together.
    """

    name: str
    identifiers: tuple[str, ...]
    columns: tuple[Column, ...] | None
    addresses: int = 0
    plus: bool = False
    details: str = "folded"
    takes_hashes: bool = False
    finds_by_address: bool = False
    most_per_identifier: int | None = 1
    #: Whether every value is a number from 0 on.
    values_from_zero: bool = False

    @property
    def repeats(self) -> bool:
        """Whether a file has a column for each of the contacts' columns of a kind."""
        return self.most_per_identifier is None


_META_KEYS = (
    Column("email", "email", 0, hashed=True),
    Column("email", "email", 1, hashed=True),
    Column("email", "email", 2, hashed=True),
    Column("phone", "phone", 0, hashed=True),
    Column("phone", "phone", 1, hashed=True),
    Column("phone", "phone", 2, hashed=True),
    Column("madid"),
    Column("fn", "first_name", hashed=True),
    Column("ln", "last_name", hashed=True),
    Column("zip", "zip", hashed=True),
    Column("ct", "city", hashed=True),
    Column("st", "state", hashed=True),
    Column("country", "country", hashed=True),
    Column("dob", "born", hashed=True),
    Column("doby", "born_year", hashed=True),
    Column("gen", "gender", hashed=True),
    Column("age"),
    Column("uid"),
    Column("value", "value"),
)

TARGETS = {
    one.name: one
    for one in (
        Target(
            "meta",
            ("email", "phone"),
            _META_KEYS,
            takes_hashes=True,
            most_per_identifier=3,
            values_from_zero=True,
        ),
        Target(
            "google",
            ("email", "phone"),
            (
                Column("Email", "email", hashed=True),
                Column("Phone", "phone", hashed=True),
                Column("First Name", "first_name", hashed=True),
                Column("Last Name", "last_name", hashed=True),
                Column("Country", "country"),
                Column("Zip", "zip"),
            ),
            addresses=SPACES_OUT | GMAIL,
            plus=True,
            takes_hashes=True,
            finds_by_address=True,
            most_per_identifier=None,
        ),
        Target(
            "mailchimp",
            ("email",),
            (
                Column("Email Address", "email"),
                Column("First Name", "first_name"),
                Column("Last Name", "last_name"),
                Column("Phone Number", "phone"),
                Column("Tags", "audience"),
            ),
            details="plain",
        ),
        Target(
            "klaviyo",
            ("email", "phone"),
            (
                Column("Email", "email"),
                Column("Phone Number", "phone"),
                Column("First Name", "first_name"),
                Column("Last Name", "last_name"),
            ),
            plus=True,
            details="plain",
        ),
        Target("plain", (), None, plus=True, details="plain", most_per_identifier=None),
    )
}
#: All ways in which targets write addresses and numbers, each once.
FORMS = (TARGETS["meta"], TARGETS["google"])


def target_of(name: str) -> Target:
    """Return a target by its name, or raise a ConfigError."""
    check_choice("target", name, TARGETS)
    return TARGETS[name]
