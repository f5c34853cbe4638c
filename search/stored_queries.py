"""Stored images as queries: what an index does not store is computed again from the thumbnail."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from facsimile.imaging.decode import Limits
from facsimile.imaging.describe import describe_many
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.errors import RecordNotFound


def descriptions(
    records: Sequence[ImageRecord], *, limits: Limits | None = None
) -> list[Description | FacsimileError]:
    """The descriptions of records that carry their thumbnails, or the error of each that has none.

    Stored signatures are used as they are; only the spectra, from which other orientations are made, come
    from the thumbnail.
    """
    thumbnails = [record.thumbnail for record in records if record.thumbnail is not None]
    described = iter(describe_many(thumbnails, limits=limits))
    return [
        RecordNotFound(f"the record {record.id} has no thumbnail to search with")
        if record.thumbnail is None
        else _merged(record, next(described))
        for record in records
    ]


def _merged(record: ImageRecord, described: Description | FacsimileError) -> Description | FacsimileError:
    if isinstance(described, FacsimileError):
        return described
    return dataclasses.replace(
        described,
        **record.facts(),
        bits=record.bits,
        bits_trimmed=record.bits_trimmed,
        panels=record.panels,
        vector=record.vector,
    )
