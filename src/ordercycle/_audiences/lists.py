"""Lists as data: features, conditions, values and targets, in a dictionary such as of TOML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from ordercycle._audiences.audience import Audience, audiences_of
from ordercycle._audiences.choosing import check_name
from ordercycle._audiences.contacts import ContactColumns
from ordercycle._audiences.targets import target_of
from ordercycle._errors import ConfigError, within
from ordercycle._history.options import refuse_unknown
from ordercycle._public import public
from ordercycle._segments.read_rules import ReadRules

#: What a file of lists has.
KEYS = ("features", "streams", "audiences", "contacts", "connections")
OF_AUDIENCE = ("where", "value", "targets")
OF_CONTACTS = (*(one.name for one in fields(ContactColumns)), "default_region", "suppress")
OF_CONNECTION = {
    "meta": ("account", "token", "app_secret", "api_version", "base_url"),
    "mailchimp": ("list", "key", "base_url", "new_members"),
}


@public()
@dataclass(frozen=True)
class AudienceLists:
    """Lists of customers as data, made by :func:`audiences_from_dict`.

    Attributes
    ----------
    conditions : mapping of str to str
        By the names of the lists.
    features : mapping of str to str
        Columns that conditions and values may read, as of :func:`features`.
    values : mapping of str to str
        The column of values of each list that has one.
    targets : mapping of str to tuple of str
        Where each list goes.
    contacts : mapping
        The columns of the contacts, as of :class:`ContactColumns`, with ``default_region`` and
        ``suppress``.
    connections : mapping
        Accounts, with the names of the environment variables that hold their secrets.
    """

    conditions: Mapping[str, str]
    features: Mapping[str, str]
    values: Mapping[str, str]
    targets: Mapping[str, tuple[str, ...]]
    contacts: Mapping[str, Any]
    connections: Mapping[str, Mapping[str, str]]

    @property
    def reads_streams(self) -> tuple[str, ...]:
        """The names of the streams that functions are about."""
        return ReadRules.of(dict(self.conditions), dict(self.features)).streams

    def build(
        self,
        profile: Any,
        *,
        streams: Mapping[str, Any] | None = None,
        as_of: date | str | None = None,
        missing: str = "error",
        threads: int | None = None,
    ) -> dict[str, Audience]:
        """Return the lists by name; each stream is scanned once for all of them.

        Parameters
        ----------
        profile, streams, as_of, threads
            As for :meth:`Audience.where`.
        missing
            As for :func:`features`.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for :meth:`Audience.where`.
        """
        return audiences_of(
            profile,
            self.conditions,
            self.values,
            features=self.features,
            streams=streams,
            as_of=as_of,
            missing=missing,
            threads=threads,
        )


@public()
def audiences_from_dict(given: Mapping[str, Any]) -> AudienceLists:
    """Return lists that are kept as data, such as in a TOML file.

    Parameters
    ----------
    given
        ``audiences``: by name, each with ``where`` and, if wanted, ``value`` and ``targets``;
        ``features``; ``contacts`` and ``connections``. ``streams`` are for the command line.

    Raises
    ------
    ConfigError
        A key means nothing, a condition cannot be read, or a target does not exist.

    Examples
    --------
    >>> import pyarrow as pa
    >>> lists = audiences_from_dict({
    ...     "audiences": {
    ...         "Top": {"where": "value_list == 'Top'", "value": "clv", "targets": ["meta"]},
    ...         "Lost": {"where": "value_list == 'Lost'", "targets": ["mailchimp"]},
    ...     }
    ... })
    >>> table = pa.table({
    ...     "customer_id": [1, 2, 3], "value_list": ["Top", "Lost", "Lost"], "clv": [9.5, 1.0, 0.5]
    ... })
    >>> for audience in lists.build(table).values():
    ...     print(audience, lists.targets[audience.name])
    Audience(Top: 1 of 3 customers, value_list == 'Top') ('meta',)
    Audience(Lost: 2 of 3 customers, value_list == 'Lost') ('mailchimp',)
    """
    data = _table("lists", given)
    refuse_unknown(data, KEYS, "key")
    audiences = _table("audiences", data.get("audiences", {}))
    if not audiences:
        raise ConfigError("there are no audiences", remedy='write [audiences."Name"] for each')
    conditions, values, targets = {}, {}, {}
    for name, one in audiences.items():
        where = f"audience {name!r}: "
        try:
            check_name(name)
            table = _table(str(name), one)
            refuse_unknown(table, OF_AUDIENCE, "key")
            conditions[name] = _text("where", table.get("where"))
            if "value" in table:
                values[name] = _text("value", table["value"])
            targets[name] = _targets(table.get("targets", ()))
        except ConfigError as error:
            raise within(error, where) from None
    contacts = _table("contacts", data.get("contacts", {}))
    refuse_unknown(contacts, OF_CONTACTS, "key of [contacts]")
    features = _table("features", data.get("features", {}))
    made = AudienceLists(conditions, dict(features), values, targets, contacts, _connections(data))
    ReadRules.of(dict(made.conditions), dict(made.features))
    return made


def _connections(data: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    given = _table("connections", data.get("connections", {}))
    refuse_unknown(given, OF_CONNECTION, "connection")
    found: dict[str, Mapping[str, str]] = {}
    for name, one in given.items():
        table = _table(f"connections.{name}", one)
        refuse_unknown(table, OF_CONNECTION[name], f"key of [connections.{name}]")
        found[name] = {key: _text(key, value) for key, value in table.items()}
    return found


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name!r} is no table", remedy="write it as one")
    return given


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise ConfigError(f"{name!r} is no text", remedy=f"write {name} as text")
    return given


def _targets(given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigError("'targets' is no list", remedy='write targets = ["meta"], for example')
    return tuple(dict.fromkeys(target_of(one).name for one in given))


@public()
def ready_made_audiences(
    categories: Sequence[str] = (), *, stream: str = "lines", attribute: str = "category"
) -> dict[str, Any]:
    """Return lists that are worth having of any shop, as data for :func:`audiences_from_dict`.

    They stand on the value lists: a profile with the columns of :class:`ValueLists` and
    :class:`Clv`.

    Parameters
    ----------
    categories
        What customers buy, for lists by category.
    stream, attribute
        Where it says of which category what they bought is.

    Returns
    -------
    dict
        ``Top``, ``Active``, ``At risk`` and ``Lost``; ``Lost, high value``, whom to win back first;
        ``Seed``: Top and all who spent as much as those in Top are worth, to look for others like
        them. With categories, for each: the seed of those who bought it, and those at risk who did;
        and ``Active, several categories``, for recommendations.

    Examples
    --------
    >>> lists = audiences_from_dict(ready_made_audiences(["coffee"]))
    >>> for name, condition in lists.conditions.items():
    ...     print(f"{name}: {condition}")
    Top: value_list == 'Top'
    Active: value_list == 'Active'
    At risk: value_list == 'At risk'
    Lost: value_list == 'Lost'
    Lost, high value: value_list == 'Lost' and high_value
    Seed: value_list == 'Top' or high_value
    Seed, coffee: (value_list == 'Top' or high_value) and has(lines, category == 'coffee')
    At risk, coffee: value_list == 'At risk' and has(lines, category == 'coffee')
    Active, several categories: value_list == 'Active' and distinct(lines.category) >= 2
    """
    for option, name in (("stream", stream), ("attribute", attribute)):
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"{option} is no name: {name!r}", remedy="pass a name")
    mail, ads = ["mailchimp"], ["meta"]
    seed = "value_list == 'Top' or high_value"
    found: dict[str, dict[str, Any]] = {
        "Top": {"where": "value_list == 'Top'", "value": "clv", "targets": [*mail, *ads]},
        "Active": {"where": "value_list == 'Active'", "targets": [*mail, *ads]},
        "At risk": {"where": "value_list == 'At risk'", "targets": [*mail, *ads]},
        "Lost": {"where": "value_list == 'Lost'", "targets": mail},
        "Lost, high value": {"where": "value_list == 'Lost' and high_value", "targets": mail},
        "Seed": {"where": seed, "value": "clv", "targets": ads},
    }
    for category in categories:
        quoted = "'" + category.replace("'", "''") + "'"
        bought = f"has({stream}, {attribute} == {quoted})"
        found[f"Seed, {category}"] = {
            "where": f"({seed}) and {bought}",
            "value": "clv",
            "targets": ads,
        }
        found[f"At risk, {category}"] = {
            "where": f"value_list == 'At risk' and {bought}",
            "targets": [*mail, *ads],
        }
    if categories:
        found["Active, several categories"] = {
            "where": f"value_list == 'Active' and distinct({stream}.{attribute}) >= 2",
            "targets": mail,
        }
    return {"audiences": found}
