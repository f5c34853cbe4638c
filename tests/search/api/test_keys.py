"""API keys: what they open, what they keep shut, and that nobody can read them from the index."""

from __future__ import annotations

import json
import re

import pytest

from search.api import access
from search.api.keys import Keys
from search.index.state import Wanted
from tests.search.api.conftest import picture


@pytest.fixture
def guarded(start):
    return start(keys=True)


def test_without_a_key_nothing_is_told_but_that_one_is_needed(guarded):
    for method, path in routes(guarded):
        answer = guarded.http.request(method, path)
        expected = 200 if path in ("/healthz", "/readyz") else 401
        assert answer.status_code == expected, (method, path)
        if expected == 401:
            assert answer.headers["www-authenticate"] == "Bearer"


def routes(running) -> list[tuple[str, str]]:
    """Every method and path of the OpenAPI document."""
    paths = running.http.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), re.sub(r"{\w+}", "x", path)) for path, methods in paths.items() for method in methods
    ]


@pytest.mark.parametrize(
    ("scope", "search", "store", "metrics"),
    [("read", 422, 403, 403), ("write", 403, 422, 403), ("admin", 422, 422, 200)],
)
def test_a_scope_opens_its_routes_alone(guarded, scope, search, store, metrics):
    headers = guarded.key(scope)
    assert guarded.http.post("/v1/search", json={}, headers=headers).status_code == search
    assert guarded.http.post("/v1/images", json={}, headers=headers).status_code == store
    assert guarded.http.get("/metrics", headers=headers).status_code == metrics


def test_a_key_comes_as_bearer_in_a_header_of_its_own_or_as_the_password(guarded):
    text = guarded.key("read")["Authorization"].removeprefix("Bearer ")
    for headers in ({"Authorization": f"bearer {text}"}, {"X-Api-Key": text}):
        assert guarded.http.get("/v1/collections", headers=headers).status_code == 200
    assert guarded.http.get("/v1/collections", auth=("anyone", text)).status_code == 200
    for wrong in (text[:-1], text[:-1] + ("A" if text[-1] != "A" else "B"), text + "A", "", "fk_", "ä"):
        answer = guarded.http.get("/v1/collections", headers={"X-Api-Key": wrong.encode()})
        assert answer.status_code == 401, wrong


def test_a_revoked_key_ends_within_seconds(guarded, monkeypatch):
    monkeypatch.setattr(access, "BELIEVED", 0.0)
    headers = guarded.key("read")
    assert guarded.http.get("/v1/collections", headers=headers).status_code == 200
    keys = Keys(guarded.service.index.state)
    keys.revoke(keys.all()[0].id)
    assert guarded.http.get("/v1/collections", headers=headers).status_code == 401


def test_the_index_holds_no_key_that_could_be_used(guarded):
    text = guarded.key("admin")["Authorization"].removeprefix("Bearer ")
    secret = text.split("_", 2)[2]
    (entry,) = guarded.service.index.state.all(Wanted(kind="key"))
    assert secret not in json.dumps([dict(entry.body), dict(entry.terms), entry.id])


def test_two_keys_have_nothing_in_common(guarded):
    keys = Keys(guarded.service.index.state)
    texts = {keys.create("same", ["read"])[1] for _ in range(20)}
    assert len(texts) == len({text.split("_", 2)[1] for text in texts}) == 20


def test_a_rate_is_counted_for_each_key_and_each_image(start):
    running = start(keys=True, rate=2, max_batch=8)
    first, second = running.key("admin"), running.key("admin")
    answers = [running.http.get("/v1/collections", headers=first) for _ in range(8)]
    refused = answers[-1]
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["type"] == "urn:facsimile:rate-limit"
    assert running.http.get("/v1/collections", headers=second).status_code == 200
    batch = {"queries": [{"id": "a"}] * 8}
    assert running.http.post("/v1/search/batch", json=batch, headers=second).status_code == 429


def test_keys_work_over_elasticsearch(start, elasticsearch_url):
    running = start(f"{elasticsearch_url}/api-keys", keys=True)
    try:
        headers = running.key("admin", collections=("shop",))
        running.store(picture(), "a", headers)
        listed = running.http.get("/v1/collections", headers=headers).json()
        assert listed["collections"] == [{"name": "shop", "images": 1}]
        assert running.http.get("/v1/collections").status_code == 401
    finally:
        running.service.index.destroy()
