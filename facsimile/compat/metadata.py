"""Metadata of projects that take any JSON value, in records, whose metadata is an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: key of a value that is no object
PLAIN = "match.metadata"


def as_object(metadata: Any) -> dict[str, Any]:
    """The metadata of a record for any JSON value; empty for None."""
    if metadata is None:
        return {}
    return dict(metadata) if isinstance(metadata, Mapping) else {PLAIN: metadata}


def as_stored(metadata: Mapping[str, Any]) -> Any:
    """The value that was stored; None where there was none."""
    return metadata.get(PLAIN, dict(metadata)) if metadata else None
