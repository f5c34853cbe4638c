"""The message that other services write: what is understood, and what is said of what is not."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsimile.ingest.errors import MessageError
from facsimile.ingest.item import Item
from facsimile.ingest.message import Message, format_item, item_of, parse

URL = "https://example.org/a.jpg"
LIMIT = 1000


def read(**fields) -> Item:
    return parse(json.dumps({"version": 1, **fields}).encode(), max_inline_bytes=LIMIT)


def test_the_least_message_is_a_source():
    assert read(source=URL) == Item(URL)
    assert read(source="/photos/a.zip!/b.jpg") == Item("/photos/a.zip!/b.jpg")


def test_a_full_message_says_all_that_an_item_can_hold():
    item = read(
        source=URL,
        id="7",
        collection="crawl",
        title="Café",
        tags=["a", "b"],
        metadata={"n": [1, {"x": None}]},
    )
    assert item == Item(URL, "7", "crawl", "Café", ("a", "b"), {"n": [1, {"x": None}]})


def test_an_image_may_lie_in_the_message():
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    item = read(data=text)
    assert (item.data, item.source) == (data, f"message:{sha256(data).hexdigest()}")
    in_lines = read(data=base64.encodebytes(data).decode(), source="seen on a wall")
    assert (in_lines.data, in_lines.source) == (data, "seen on a wall")


def test_null_is_as_good_as_left_out():
    assert read(source=URL, id=None, title=None, tags=None, metadata=None, data=None) == Item(URL)


def test_a_message_that_celery_has_decoded_is_taken_as_it_is():
    assert parse({"version": 1, "source": URL}, max_inline_bytes=LIMIT) == Item(URL)


def test_the_schema_in_the_documentation_is_that_of_the_program():
    documented = Path(__file__).parents[2] / "docs" / "queue-message.schema.json"
    assert json.loads(documented.read_text()) == Message.model_json_schema()


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"version": 2, "source": URL}, "version 2 of a message is not known here; known is 1"),
        ({"version": True, "source": URL}, "version True"),
        ({"version": "1", "source": URL}, "version '1'"),
        ({"version": None, "source": URL}, "no version; known is 1"),
        ({"source": URL, "sauce": 1}, "field 'sauce', which version 1 does not know"),
        ({"source": URL, "sauce": None}, "field 'sauce'"),
        ({}, "neither a source nor data"),
        ({"source": ""}, "neither a source nor data"),
        ({"source": 7}, "source is 7, not a text"),
        ({"source": "a.jpg"}, "'a.jpg' is neither a URL nor an absolute path"),
        ({"source": "/a\0b"}, "the source holds a NUL"),
        ({"source": "https://example.org/" + "a" * 9000}, "a source has 9020 bytes; at most 8192"),
        ({"source": URL, "id": 7}, "id is 7, not a text"),
        ({"source": URL, "id": ""}, "the id is empty"),
        ({"source": URL, "id": "a\0"}, "the id holds a NUL"),
        ({"source": URL, "id": "é" * 257}, "the id has 514 bytes; at most 512"),
        ({"source": URL, "collection": "a b"}, "'a b' is no name for a collection"),
        ({"source": URL, "collection": ""}, "'' is no name for a collection"),
        ({"source": URL, "collection": "a" * 65}, "no name for a collection"),
        ({"source": URL, "title": ["a"]}, "title is ['a'], not a text"),
        ({"source": URL, "tags": "a"}, "tags is 'a', not a list of texts"),
        ({"source": URL, "tags": ["a", 1]}, "tags is not a list of texts"),
        ({"source": URL, "tags": ["a" * 9000]}, "a tag has 9000 bytes"),
        ({"source": URL, "metadata": [1]}, "metadata is [1], not an object"),
        ({"source": URL, "metadata": {"a": "b" * 70_000}}, "the metadata has 70008 bytes of JSON"),
        ({"data": "é"}, "data is not base64"),
        ({"data": "abc"}, "data is not base64"),
        ({"data": "-_-_"}, "data is not base64"),
        ({"data": 7}, "data is 7, not a text in base64"),
        ({"data": "AAAA" * 400}, "data has 1200 bytes; at most 1000"),
    ],
)
def test_a_malformed_message_is_told_what_is_wrong(fields, fault):
    with pytest.raises(MessageError) as told:
        read(**fields)
    assert fault in str(told.value)
    assert str(told.value).isprintable()


DEEP = '{"version":1,"source":"/a","metadata":{"a":' + "[" * 30 + "]" * 30 + "}}"


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "a JSON list, not an object"),
        (b"null", "not an object"),
        (b'{"version":1,"source":"/a"', "no JSON"),
        (b'{"version":1,"source":"/a","metadata":{"a":NaN}}', "no JSON"),
        (b'{"version":1,"source":"/\\ud800"}', "no JSON"),
        (DEEP.encode(), "nested deeper than 20 levels"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_not_json_or_beyond_its_bounds_is_told(raw, fault):
    with pytest.raises(MessageError, match=fault):
        parse(raw, max_inline_bytes=LIMIT)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"metadata": {"a": float("nan")}}, "holds nan"),
        ({"metadata": {"a": 2**64}}, "the metadata is no JSON"),
        ({"metadata": {1: "a"}}, "a key that is no text"),
        ({"metadata": {"a": "\ud800"}}, "the metadata is no JSON"),
        ({"title": "\ud800"}, "the title is not valid Unicode"),
        ({"id": "\ud800"}, "the id is not valid Unicode"),
        ({"\ud800": 1}, "a field"),
        ({"source": "\ud800"}, "a source is not valid Unicode"),
    ],
)
def test_what_only_lenient_decoders_let_through_is_told(change, fault):
    """Python's own json takes NaN, lone surrogates and integers of any size."""
    with pytest.raises(MessageError, match=fault):
        parse({"version": 1, "source": URL, **change}, max_inline_bytes=LIMIT)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
items = st.builds(
    Item,
    source=texts.map("https://example.org/".__add__),
    id=st.none() | texts.filter(bool),
    collection=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
    title=texts,
    tags=st.lists(texts, max_size=3).map(tuple),
    metadata=st.dictionaries(texts, values, max_size=3),
    data=st.none() | st.binary(max_size=LIMIT),
)


@given(items)
def test_what_is_formatted_is_read_back_as_it_was(item):
    message = format_item(item)
    assert item_of(message) == item
    assert item_of(orjson.loads(orjson.dumps(message))) == item
    assert parse(orjson.dumps(message), max_inline_bytes=LIMIT) == item


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_an_item_or_a_message_error(raw):
    understood(raw)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["source", "data", "id", "collection", "title", "tags", "metadata"])


@given(st.dictionaries(names | st.text(), anything | texts), st.just(1) | anything)
def test_any_object_is_an_item_or_a_message_error(fields, version):
    understood({**fields, "version": version})
    understood(json.dumps({**fields, "version": version}).encode())


def understood(raw) -> None:
    """What is taken can be stored; what is not is told in one line."""
    try:
        item = parse(raw, max_inline_bytes=LIMIT)
    except MessageError as told:
        str(told).encode()
    else:
        assert item_of(orjson.loads(orjson.dumps(format_item(item)))) == item
