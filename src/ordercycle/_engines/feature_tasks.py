"""Tasks that compute features of streams for the customers of a partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from ordercycle._engines.partition_tasks import Profiles, Streams, of_a_partition
from ordercycle._features.language import Feature
from ordercycle._ingest.column_readers import IdReader
from ordercycle._segments.customer_features import WHAT, CustomerFeatures, StreamsAsOf
from ordercycle._segments.customer_order import customers_in_order
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._workspace import Workers

PROFILES = "profiles"


@dataclass(frozen=True)
class FeaturedProfiles:
    """Profiles every customer, with features of streams; the orders are one of them."""

    profiles: Profiles
    features: Mapping[str, Feature]

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns of a profile, and those of the features."""
        return self._featured(nobody)(self.profiles.schema(nobody).empty_table()).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a profile with features."""
        featured = self._featured(streams)
        for batch in self.profiles.results(streams):
            yield from featured(pa.Table.from_batches([batch])).to_batches()

    def _featured(self, streams: Streams) -> Featured:
        # Texts were compared with those of all partitions before.
        source = StreamsAsOf.of(streams, self.profiles.as_of, missing="empty")
        return Featured(source.scans(self.features))


@dataclass(frozen=True)
class Featured:
    """Adds features to a table."""

    scans: CustomerFeatures

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the table with features, those of codes as the values themselves."""
        made = self.scans.added_to(table, threads=1)
        return with_values(made, range(table.num_columns, made.num_columns))


@dataclass(frozen=True)
class FeaturesOfRows:
    """Adds features to the rows of a table, in the order of their customers' hashes."""

    features: Mapping[str, Feature]
    as_of: date | str

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns of the table, and those of the features."""
        return self._featured(nobody)(nobody[PROFILES]).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows with features."""
        yield from self._featured(streams)(in_hash_order(streams[PROFILES])).to_batches()

    def _featured(self, streams: Streams) -> Featured:
        source = StreamsAsOf.of(others(streams), self.as_of, missing="empty")
        return Featured(source.scans(self.features))


@dataclass(frozen=True)
class AssignedRows:
    """Assigns a scheme that reads streams to the rows of a table."""

    scheme: Any
    as_of: date | str
    options: Mapping[str, Any]

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns of the table, and those of the scheme."""
        return self._assigned(nobody[PROFILES], nobody).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows with segments."""
        yield from self._assigned(in_hash_order(streams[PROFILES]), streams).to_batches()

    def _assigned(self, table: pa.Table, streams: Streams) -> pa.Table:
        made = self.scheme.assign(
            table,
            streams=others(streams),
            as_of=self.as_of,
            missing="empty",
            threads=1,
            **self.options,
        )
        last = made.num_columns - 1  # the segment, of which all values are known
        return with_values(made, range(table.num_columns, last))


def others(streams: Streams) -> dict[str, Any]:
    """Return the streams beside the rows of a table."""
    return {name: stream for name, stream in streams.items() if name != PROFILES}


def in_hash_order(table: pa.Table) -> pa.Table:
    """Return rows in the order of their customers' hashes: they arrive in any.

    Raises
    ------
    DataError
        A customer is null or there twice.
    """
    reader = IdReader.of(table.schema.field(CUSTOMER), WHAT)
    with of_a_partition(), Workers(1) as workers:
        rows = customers_in_order(table, WHAT, reader, workers).rows
    return table if rows is None else table.take(pa.array(rows))


def with_values(table: pa.Table, places: range) -> pa.Table:
    """Return a table with values in the place of codes, which are those of a partition."""
    for place in places:
        field = table.schema.field(place)
        if pa.types.is_dictionary(field.type):
            plain = table.column(place).cast(field.type.value_type)
            table = table.set_column(place, field.with_type(field.type.value_type), plain)
    return table
