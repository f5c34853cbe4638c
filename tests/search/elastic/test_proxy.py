"""A proxy in front of Elasticsearch that answers 200 with what Elasticsearch never sends."""

import http.client
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pytest

from facsimile.imaging.phash import HASH_VERSION
from facsimile.imaging.record import Key
from facsimile.search.errors import IndexUnavailable
from facsimile.search.index.base import Signatures
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.index.opening import open_index
from facsimile.search.index.state.base import Entry, EntryFilter, Ref
from facsimile.search.query import Filter
from tests.support.records import look, question, record

SIGNATURES = Signatures(HASH_VERSION, "test", 64)
KEY = Key("default", "1")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD")
WANTED = EntryFilter(kind="kind")

#: the answer of Elasticsearch, turned into another one
Wrong = Callable[[Any], bytes]


@dataclass
class Proxy:
    """Hands requests on to Elasticsearch; where `wrong` is set, the answer is replaced by what it makes.

    `named` keeps the header by which Elasticsearch names itself.
    """

    upstream: str
    url: str = ""
    wrong: Wrong | None = None
    named: bool = True

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        headers = {name: value for name, value in handler.headers.items() if name != "Accept-Encoding"}
        connection.request(handler.command, handler.path, body, headers)
        response = connection.getresponse()
        status, kind, data = response.status, response.getheader("Content-Type", ""), response.read()
        connection.close()
        if self.wrong:
            status, kind, data = 200, "application/json", self.wrong(json.loads(data or "{}"))
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html" if data.startswith(b"<") else kind)
        handler.send_header("Content-Length", str(len(data)))
        if self.named:
            handler.send_header("X-Elastic-Product", "Elasticsearch")
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)


@pytest.fixture(scope="module")
def proxy(elasticsearch_url: str) -> Iterator[Proxy]:
    made = Proxy(elasticsearch_url)
    methods = {f"do_{name}": lambda handler: made.answer(handler) for name in METHODS}  # noqa: PLW0108 - a method
    quiet = {"protocol_version": "HTTP/1.1", "log_message": lambda *_: None}
    handler = type("Handler", (http.server.BaseHTTPRequestHandler,), methods | quiet)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def opened(proxy: Proxy) -> Iterator[ElasticIndex]:
    """An index behind the proxy, with two records and an entry."""
    address = f"{proxy.url}/test-{uuid4().hex}"
    rng = np.random.default_rng(1)
    with ElasticIndex.create(address, SIGNATURES, ElasticOptions(timeout=30)) as made:
        made.put([record("1", rng), record("2", rng)])
        made.state.put([Entry(kind="kind", id="1", terms={"a": ("b",)}, numbers={"n": 1})])
        made.refresh()
        made.state.refresh()
        yield made
        made.destroy()


@pytest.fixture
def index(proxy: Proxy, opened: ElasticIndex) -> Iterator[ElasticIndex]:
    """The same, with an honest proxy again after the test."""
    yield opened
    proxy.wrong, proxy.named = None, True


def without_one(answer: Any) -> bytes:
    """One less of what was asked for: of documents, of answers, of outcomes, or of the fields of a hit."""
    for name in ("docs", "responses", "items"):
        if name in answer:
            return json.dumps(answer | {name: answer[name][1:]}).encode()
    if "hits" in answer:
        for hit in answer["hits"]["hits"]:
            del hit["_source"]
        answer.pop("aggregations", None)
        return json.dumps(answer).encode()
    return json.dumps(dict(list(answer.items())[1:])).encode()


#: what is answered instead, and whether it still carries the header by which Elasticsearch names itself
ANSWERS: dict[str, tuple[Wrong, bool]] = {
    "a page": (lambda _: b"<html><h1>502 Bad Gateway</h1></html>", False),
    "a page with the name": (lambda _: b"<html><h1>502 Bad Gateway</h1></html>", True),
    "an empty object": (lambda _: b"{}", False),
    "an empty object with the name": (lambda _: b"{}", True),
    "an empty list": (lambda _: b"[]", True),
    "nothing": (lambda _: b"", True),
    "null": (lambda _: b"null", True),
    "a text": (lambda _: b'"maintenance"', True),
    "half an answer": (lambda answer: json.dumps(answer).encode()[:-2], True),
    "another object": (lambda _: b'{"status":"ok"}', True),
    "a list of objects": (lambda _: b'[{"status":"ok"}]', True),
    "lists of the wrong kind": (lambda answer: json.dumps({name: [None] for name in answer}).encode(), True),
    "objects in place of all": (
        lambda answer: json.dumps({name: {"x": 1} for name in answer}).encode(),
        True,
    ),
}

READS: dict[str, Callable[[ElasticIndex], object]] = {
    "get": lambda index: index.get([KEY, Key("default", "2")]),
    "known": lambda index: index.known([KEY, Key("default", "2")]),
    "ask": lambda index: index.ask([question(look(bits)) for bits in _bits(index)]),
    "ask_words": lambda index: index.ask_words("words", 5, Filter()),
    "ask_bytes": lambda index: index.ask_bytes(["0" * 64], Filter()),
    "page": lambda index: index.page(Filter(), cursor=None, limit=10),
    "keys_of": lambda index: index.keys_of("1"),
    "count": lambda index: index.count(),
    "collections": lambda index: index.collections(),
    "info": lambda index: index.info(),
    "open": lambda index: ElasticIndex.open(index.location),
    "open or create": lambda index: open_index(index.location, create=SIGNATURES),
    "state.get": lambda index: index.state.get([Ref("kind", "1"), Ref("kind", "2")]),
    "state.find": lambda index: index.state.find(WANTED),
    "state.find by number": lambda index: index.state.find(WANTED, order="n"),
    "state.count": lambda index: index.state.count(WANTED),
    "state.counts": lambda index: index.state.counts(WANTED, "a"),
    "state.sums": lambda index: index.state.sums(WANTED, ["n"]),
}

WRITES: dict[str, Callable[[ElasticIndex], object]] = {
    "put": lambda index: index.put([_record("1"), _record("3")]),
    "delete": lambda index: index.delete([Key("default", "7"), Key("default", "8")]),
    "state.put": lambda index: index.state.put(
        [Entry(kind="kind", id="5", version=(0, 1)), Entry(kind="kind", id="6", version=(0, 1))]
    ),
    "state.delete": lambda index: index.state.delete([Ref("kind", "7"), Ref("kind", "8")]),
}


def _record(id: str):
    return record(id, np.random.default_rng(3), title="changed")


def _bits(index: ElasticIndex):
    return np.random.default_rng(4).integers(0, 256, (2, 32), np.uint8)


@pytest.mark.parametrize("operation", READS | WRITES)
def test_a_wrong_answer_counts_as_no_answer(operation: str, proxy: Proxy, index: ElasticIndex):
    act = (READS | WRITES)[operation]
    for what, (proxy.wrong, proxy.named) in ANSWERS.items():
        with pytest.raises(IndexUnavailable, match="not as Elasticsearch does") as caught:
            act(index)
            pytest.fail(f"{operation} believed {what}")
        assert caught.value.transient
    proxy.wrong, proxy.named = None, True
    if operation in READS:
        act(index)
    assert index.get([KEY])[KEY].id == "1"


@pytest.mark.parametrize(
    "operation",
    [*WRITES, "get", "known", "ask", "page", "keys_of", "state.get", "state.find", "state.counts", "count"],
)
def test_less_than_was_asked_for_counts_as_no_answer(operation: str, proxy: Proxy, index: ElasticIndex):
    proxy.wrong = without_one
    with pytest.raises(IndexUnavailable, match="not as Elasticsearch does"):
        (READS | WRITES)[operation](index)


def test_a_page_does_not_look_like_an_index_that_is_there(proxy: Proxy, index: ElasticIndex):
    """A request by HEAD has no body to look at: only the name of the server tells."""
    proxy.wrong, proxy.named = ANSWERS["a page"]
    with pytest.raises(IndexUnavailable):
        ElasticIndex.create(f"{proxy.url}/another", SIGNATURES)
