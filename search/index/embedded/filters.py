"""Questions to the embedded index as SQL: filters, words and the places in a listing."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from facsimile.imaging.record import Key
from facsimile.search.errors import InvalidRequest
from facsimile.search.query import Filter

#: values that one filter may hold; SQLite takes 32,766 parameters
MAX_FILTER_VALUES = 30_000

#: different words that one text question may hold
MAX_WORDS = 64

#: sorts after all that begin alike
LAST_CHARACTER = "\U0010ffff"

_PLAIN_FIELDS = frozenset({"id", "sha256", "format"})
_TERM_FIELDS = frozenset({"source", "page", "site", "tags"})


class FilterCondition(NamedTuple):
    """A condition on `records`, and the values of its parameters."""

    sql: str
    values: tuple[str, ...]


def condition_of(filter: Filter) -> FilterCondition:
    """The filter as SQL; true where the filter is empty."""
    parts: list[str] = []
    values: list[str] = []
    if filter.collections:
        parts.append(f"records.collection IN ({_marks(filter.collections)})")
        values += filter.collections
    for key, wanted in filter.terms.items():
        if key in _PLAIN_FIELDS:
            parts.append(f"records.{key} IN ({_marks(wanted)})")
        else:
            parts.append(
                "records.number IN (SELECT terms.number FROM terms "
                f"WHERE terms.path = ? AND terms.value IN ({_marks(wanted)}))"
            )
            values.append(key if key in _TERM_FIELDS else "metadata." + key.removeprefix("metadata."))
        values += wanted
    if filter.under:
        parts.append(
            "records.number IN (SELECT terms.number FROM terms "
            "WHERE terms.path IN ('source', 'gone') AND terms.value >= ? AND terms.value < ?)"
        )
        values += [filter.under, filter.under + LAST_CHARACTER]
    if filter.id_prefix:
        parts.append("records.id >= ? AND records.id < ?")
        values += [filter.id_prefix, filter.id_prefix + LAST_CHARACTER]
    if len(values) > MAX_FILTER_VALUES:
        raise InvalidRequest(f"the filter holds {len(values)} values; at most {MAX_FILTER_VALUES} are taken")
    return FilterCondition(" AND ".join(parts) or "true", tuple(values))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def words_expression(words: str) -> str:
    """A full-text expression that any of the words satisfies; empty where there is no word.

    Each word is quoted, so that nothing a user writes is syntax.
    """
    found = dict.fromkeys(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", words)))
    return " OR ".join(f'"{word}"' for word in list(found)[:MAX_WORDS])


def cursor_of(key: Key) -> str:
    """The place after this key in a listing, as opaque text."""
    return base64.urlsafe_b64encode(orjson.dumps(list(key))).decode()


def key_of(cursor: str) -> Key:
    """The key of a cursor."""
    try:
        collection, id = orjson.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidRequest(f"{cursor[:80]!r} is not a cursor of a listing") from error
    return Key(str(collection), str(id))
