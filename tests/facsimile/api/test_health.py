"""Health, readiness and figures, also while the index is away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from facsimile.api import health
from facsimile.api.idempotency import KEPT, KIND, sweep
from facsimile.search.index.base import Signatures
from facsimile.search.index.opening import create_index, destroy_index
from facsimile.search.index.state.base import Entry, EntryFilter
from tests.support.pictures import photo_jpeg


def test_a_server_is_alive_and_ready(api):
    assert api.http.get("/healthz").json() == {"status": "alive", "version": "1"}
    ready = api.http.get("/readyz").json()
    assert ready["status"] == "ready"
    assert str(api.service.index.signatures) == ready["signatures"]


def test_a_server_whose_index_keeps_other_signatures_is_not_ready(start, tmp_path, monkeypatch):
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    api = start(str(tmp_path / "one"))
    destroy_index(str(tmp_path / "one"))
    gone = api.http.get("/readyz")
    assert (gone.status_code, gone.json()["faults"]) == (503, ["index"])
    other = Signatures(hash=api.service.index.signatures.hash, model="other-1", dims=64)
    create_index(str(tmp_path / "one"), other).close()
    assert "signatures" in api.http.get("/readyz").json()["faults"]
    assert api.http.get("/healthz").status_code == 200


def test_a_service_that_is_needed_and_away_is_named(start, monkeypatch):
    from facsimile.search.errors import IndexUnavailable

    def away() -> None:
        raise IndexUnavailable("at redis://secret@queue:6379")

    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    api = start(service_changes={"checks": {"queue": away}})
    answer = api.http.get("/readyz")
    assert (answer.status_code, answer.json()["faults"]) == (503, ["queue"])
    assert "secret" not in answer.text


def test_an_elasticsearch_that_goes_away_and_comes_back(start, elasticsearch_node, monkeypatch):
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    node = elasticsearch_node
    api = start(f"{node.url}/health-{uuid4().hex}", settings={"elastic_timeout": 5})
    api.store(photo_jpeg(), "a")
    node.kill()
    for answer in (
        api.http.post("/v1/search", files={"image": photo_jpeg()}),
        api.http.get("/v1/images"),
        api.http.put("/v1/images/b", files={"image": photo_jpeg(1)}),
        api.http.get("/readyz"),
    ):
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert str(node.port) not in answer.text
    assert api.http.get("/healthz").status_code == 200
    assert "facsimile_http_request_seconds" in api.http.get("/metrics").text
    node.start()
    api.wait(lambda: api.http.get("/readyz").status_code == 200)
    found = api.http.post("/v1/search", files={"image": photo_jpeg()})
    assert [match["id"] for match in found.json()["matches"]] == ["a"]


def test_answers_are_kept_for_a_day(api):
    state = api.service.index.state
    now = time.time_ns() // 1_000_000
    times = {"old": now - KEPT - 1000, "new": now}
    state.put([Entry(kind=KIND, id=id, numbers={"at": at}) for id, at in times.items()])
    state.refresh()
    sweep(state)
    assert [entry.id for entry in state.all(EntryFilter(kind=KIND))] == ["new"]


def test_of_the_same_write_at_a_time_one_is_done(api):
    def write(_: int):
        return api.http.post(
            "/v1/images", files={"image": photo_jpeg(longest=400)}, headers={"Idempotency-Key": "1"}
        )

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(write, range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    done = [answer for answer in answers if answer.status_code == 201]
    assert [answer.headers.get("idempotency-replayed") for answer in done].count(None) == 1


def test_figures_tell_what_happened(api):
    api.store(photo_jpeg(), "a")
    api.http.post("/v1/search", files={"image": photo_jpeg()})
    api.http.get("/nothing/here")
    text = api.http.get("/metrics").text
    for line in (
        'facsimile_http_images_total{outcome="added"} 1.0',
        "facsimile_index_records 1.0",
        "facsimile_http_candidates_count 1.0",
        'facsimile_http_request_seconds_count{method="GET",route="unmatched",status="404"} 1.0',
        'facsimile_http_request_seconds_count{method="POST",route="/v1/search",status="200"} 1.0',
    ):
        assert line in text
    assert "nothing" not in text
