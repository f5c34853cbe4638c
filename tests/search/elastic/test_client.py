"""What goes wrong between us and Elasticsearch, each with the error and the sentence it gives."""

import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import elastic_transport
import elasticsearch
import pytest

from facsimile.imaging.errors import FacsimileError
from facsimile.search.errors import (
    IndexAuthError,
    IndexNotFound,
    IndexReadOnly,
    IndexUnavailable,
    InvalidRequest,
    StoreError,
)
from facsimile.search.index.base import Signatures
from facsimile.search.index.elastic.client import error_of, fault, is_momentary
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.elastic.options import ElasticOptions

SIGNATURES = Signatures("test-1")
SERVER = "http://host:9200"


def subclasses(root: type[Exception]) -> set[type[Exception]]:
    return {root} | {leaf for child in root.__subclasses__() for leaf in subclasses(child)}


def transport_errors() -> list[type[Exception]]:
    return sorted(subclasses(elastic_transport.TransportError), key=lambda kind: kind.__name__)


def api_errors() -> list[type[Exception]]:
    return sorted(subclasses(elasticsearch.ApiError), key=lambda kind: kind.__name__)


def meta(status: int) -> elastic_transport.ApiResponseMeta:
    node = elastic_transport.NodeConfig("http", "host", 9200)
    return elastic_transport.ApiResponseMeta(status, "1.1", elastic_transport.HttpHeaders(), 0.1, node)


@pytest.mark.parametrize("kind", transport_errors())
def test_each_error_of_the_transport_has_one_of_ours(kind: Any):
    ours = error_of(kind("secret detail", errors=(OSError("refused"),)), SERVER)
    assert isinstance(ours, StoreError)
    assert SERVER in str(ours)


def test_the_transport_errors_that_matter_are_told_apart():
    assert isinstance(error_of(elasticsearch.ConnectionError("x"), SERVER), IndexUnavailable)
    assert isinstance(error_of(elasticsearch.ConnectionTimeout("x"), SERVER), IndexUnavailable)
    assert isinstance(error_of(elasticsearch.SSLError("x"), SERVER), IndexAuthError)
    assert isinstance(error_of(elasticsearch.SerializationError("x"), SERVER), IndexUnavailable)


@pytest.mark.parametrize("kind", api_errors())
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504])
def test_each_error_of_the_server_has_one_of_ours(kind: type[elasticsearch.ApiError], status: int):
    for body in (None, "<html>", {"error": "text"}, {"error": {"type": "t", "reason": "r"}}):
        ours = error_of(kind("m", meta(status), body), SERVER)
        assert isinstance(ours, FacsimileError)
        passing = kind is elasticsearch.UnsupportedProductError or status in (408, 429) or status >= 500
        assert ours.transient == passing


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (401, "security_exception", IndexAuthError),
        (403, "security_exception", IndexAuthError),
        (403, "cluster_block_exception", IndexReadOnly),
        (429, "cluster_block_exception", IndexReadOnly),
        (429, "es_rejected_execution_exception", IndexUnavailable),
        (404, "index_not_found_exception", IndexNotFound),
        (404, "search_context_missing_exception", IndexUnavailable),
        (404, "resource_not_found_exception", StoreError),
        (400, "search_phase_execution_exception", InvalidRequest),
        (503, "search_phase_execution_exception", IndexUnavailable),
    ],
)
def test_the_answers_that_matter_are_told_apart(status: int, kind: str, expected: type[Exception]):
    detail = {"type": kind, "reason": "because", "root_cause": [{"type": kind, "reason": "because"}]}
    assert type(error_of(elasticsearch.ApiError(kind, meta(status), {"error": detail}), SERVER)) is expected


def test_a_shard_that_left_with_its_node_is_momentary_also_as_a_cause():
    cause = {"type": "search_context_missing_exception", "reason": "No search context found for id [7]"}
    detail = {
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "root_cause": [cause],
    }
    assert is_momentary(404, detail)
    assert isinstance(fault(404, detail, SERVER), IndexUnavailable)
    assert not is_momentary(404, {"type": "index_not_found_exception", "root_cause": []})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_callers_of_the_api_see_does_not_name_the_address():
    error = fault(400, {"type": "parsing_exception", "reason": "no"}, "http://10.1.2.3:9200")
    assert isinstance(error, InvalidRequest)
    assert str(error) == "Elasticsearch refuses the request (400): no"


def test_a_server_that_is_down_is_said_so_with_its_address():
    port = free_port()
    with pytest.raises(IndexUnavailable, match=f"cannot reach http://127.0.0.1:{port}"):
        ElasticIndex.open(f"http://127.0.0.1:{port}/pictures", SIGNATURES)


def test_a_server_that_accepts_and_says_nothing_ends_by_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = f"http://127.0.0.1:{silent.getsockname()[1]}/pictures"
        options = ElasticOptions(timeout=0.5)
        with pytest.raises(IndexUnavailable, match="did not answer in time"):
            ElasticIndex.open(location, SIGNATURES, options)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers as the class attributes say, and remembers what it was told."""

    status = 401
    body = b'{"error":{"type":"security_exception","reason":"bad key"},"status":401}'
    content_type = "application/json"
    authorizations: list[str | None]

    def do_GET(self) -> None:
        self.authorizations.append(self.headers.get("Authorization"))
        self.send_response(self.status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(
    handler: type[http.server.BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes are meant
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (ElasticOptions(api_key="c2VjcmV0"), "ApiKey c2VjcmV0"),
        (ElasticOptions(username="me", password="hunter2"), "Basic bWU6aHVudGVyMg=="),
        (ElasticOptions(api_key="c2VjcmV0", username="me", password="hunter2"), "ApiKey c2VjcmV0"),
    ],
)
def test_refused_credentials_are_sent_but_never_shown(options: ElasticOptions, sent: str):
    handler: Any = type("Refusing", (Answer,), {"authorizations": []})
    with (
        serving(handler) as port,
        pytest.raises(IndexAuthError, match="refuses these credentials") as refusal,
    ):
        ElasticIndex.open(f"http://127.0.0.1:{port}/pictures", SIGNATURES, options)
    assert handler.authorizations == [sent]
    for secret in ("c2VjcmV0", "hunter2", "bWU6aHVudGVyMg=="):
        assert secret not in f"{refusal.value!r} {refusal.value.__cause__} {options!r}"


def test_a_server_that_is_not_elasticsearch_is_said_so():
    page = {"authorizations": [], "status": 200, "body": b"<p>hello", "content_type": "text/html"}
    with (
        serving(type("Web", (Answer,), page)) as port,
        pytest.raises(IndexUnavailable, match="check the address"),
    ):
        ElasticIndex.open(f"http://127.0.0.1:{port}/pictures", SIGNATURES)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a self-signed certificate for 127.0.0.1 and its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", f"{path}.crt")
    subprocess.run(["openssl", *request.split(), *names], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_a_certificate_counts_only_where_it_is_trusted(certificate: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    fingerprint = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.partition("=")[2]
    handler: Any = type("Refusing", (Answer,), {"authorizations": []})
    with serving(handler, context) as port:
        location = f"https://127.0.0.1:{port}/pictures"
        with pytest.raises(IndexAuthError, match="certificate"):
            ElasticIndex.open(location, SIGNATURES, ElasticOptions(api_key="c2VjcmV0"))
        assert handler.authorizations == [], "the key must not go to a server that is not trusted"
        for trusting in (
            ElasticOptions(ca_certs=str(certificate) + ".crt"),
            ElasticOptions(ca_fingerprint=fingerprint.strip()),
            ElasticOptions(verify_certs=False),
        ):
            with pytest.raises(IndexAuthError, match="credentials"):
                ElasticIndex.open(location, SIGNATURES, trusting)


def test_a_missing_file_of_certificates_is_said_before_anything_is_sent():
    with pytest.raises(InvalidRequest, match=r"CA file /nowhere\.pem"):
        ElasticIndex.open("https://127.0.0.1:1/x", SIGNATURES, ElasticOptions(ca_certs="/nowhere.pem"))
