"""Audiences and contacts of few people, and what a vendor should have of them."""

import hashlib

import pyarrow as pa

import ordercycle as oc

DAY = "2026-11-01"


def hashed(text):
    return hashlib.sha256(text.encode()).hexdigest()


def address(number, version=0):
    return f"p{number}.{version}@example.com"


def phone(number):
    return f"34600{number:06}"


def people(numbers, versions=None, **columns):
    """Return contacts of customers 0, 1, ...: an address, and a number of every second."""
    numbers = list(numbers)
    versions = versions or {}
    table = {
        "customer_id": [f"c{one}" for one in numbers],
        "email": [address(one, versions.get(one, 0)) for one in numbers],
        "phone": [f"+{phone(one)}" if one % 2 else None for one in numbers],
    }
    suppress = columns.pop("suppress", None)
    roles = {name: name for name in columns}
    return oc.Contacts(
        pa.table({**table, **columns}), oc.ContactColumns(**roles), suppress=suppress
    )


def audience(numbers, name="Top", values=None):
    numbers = list(numbers)
    columns = {"customer_id": [f"c{one}" for one in numbers]}
    if values is not None:
        columns["clv"] = pa.array([values.get(one, 1.0) for one in numbers], pa.float64())
    table = pa.table({**columns, "customer_id": pa.array(columns["customer_id"], pa.string())})
    return oc.Audience.where(table, "true", name=name, value="clv" if values is not None else None)


def found_by(numbers, versions=None):
    """Return the hashes that find customers."""
    versions = versions or {}
    found = {hashed(address(one, versions.get(one, 0))) for one in numbers}
    return found | {hashed(phone(one)) for one in numbers if one % 2}
