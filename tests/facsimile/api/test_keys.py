"""API keys: what they open, what they keep shut, and that nobody can read them from the index."""

from __future__ import annotations

import base64
import json
import re

import pytest

from facsimile.api import auth
from facsimile.api import keys as keys_module
from facsimile.api.keys import Keys
from facsimile.search.index.state.base import EntryFilter
from tests.support.pictures import photo_jpeg


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
    monkeypatch.setattr(auth, "KEY_CACHE_SECONDS", 0.0)
    headers = guarded.key("read")
    assert guarded.http.get("/v1/collections", headers=headers).status_code == 200
    keys = Keys(guarded.service.index.state)
    keys.revoke(keys.all()[0].id)
    assert guarded.http.get("/v1/collections", headers=headers).status_code == 401


def test_the_index_holds_no_key_that_could_be_used(guarded):
    text = guarded.key("admin")["Authorization"].removeprefix("Bearer ")
    secret = text.split("_", 2)[2]
    (entry,) = guarded.service.index.state.all(EntryFilter(kind="key"))
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


@pytest.fixture(params=["embedded", "elastic"])
def location(request, tmp_path):
    """A place for an index of each kind."""
    if request.param == "embedded":
        return str(tmp_path / "index")
    return f"{request.getfixturevalue('elasticsearch_url')}/api-keys-{tmp_path.name[-40:].lower()}"


def status(running, headers=None) -> int:
    return running.http.get("/v1/collections", headers=headers or {}).status_code


def test_the_first_key_closes_a_server_that_runs(start, location):
    running = start(location)
    assert status(running) == 200
    tenant = running.key("read", collections=("shop",))
    running.wait(lambda: status(running) == 401)
    assert running.http.get("/v1/collections", headers=tenant).json()["collections"] == []
    assert running.http.post("/v1/images", headers=tenant, json={}).status_code == 403


def test_after_the_last_key_was_revoked_it_stays_closed(start, location):
    running = start(location)
    running.key("admin")
    keys = Keys(running.service.index.state)
    keys.revoke(keys.all()[0].id)
    running.wait(lambda: status(running) == 401)
    again = start(location)
    refused = again.http.get("/v1/collections")
    assert refused.status_code == 401
    assert "facsimile keys create" in refused.json()["detail"]
    assert status(again, again.key("read")) == 200


def test_an_index_whose_keys_were_made_before_this_was_remembered_stays_closed(start, location):
    running = start(location)
    state = running.service.index.state
    running.key("admin")
    state.delete([keys_module._REQUIRED])
    state.refresh()
    running.wait(lambda: status(running) == 401)
    Keys(state).revoke(Keys(state).all()[0].id)
    assert status(start(location)) == 401


MADE_UP = "fk_0123456789ab_" + "A" * 43


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Api-Key": MADE_UP},
        {"Authorization": f"Bearer {MADE_UP}"},
        {"Authorization": "Basic " + base64.b64encode(f"any:{MADE_UP}".encode()).decode()},
        {"Authorization": "Basic ?"},
        {"Authorization": f"Token {MADE_UP}"},
        {"Authorization": MADE_UP},
    ],
)
@pytest.mark.parametrize("policy", ["auto", "off"])
def test_a_key_that_is_sent_is_checked_where_none_is_needed(start, headers, policy):
    running = start(policy=policy)
    assert status(running) == 200
    assert status(running, headers) == 401


def test_where_no_key_is_needed_one_that_is_sent_limits_its_caller(start):
    running = start(policy="off")
    running.store(photo_jpeg(), "a")
    tenant = running.key("read", collections=("shop",))
    assert running.http.get("/v1/images/a").status_code == 200
    assert running.http.get("/v1/images/a", headers=tenant).status_code == 404
    assert running.http.delete("/v1/images/a", headers=tenant).status_code == 403


def test_made_up_keys_are_refused_without_a_look_after_some(start):
    running = start(keys=True)
    good = running.key("read")
    assert status(running, good) == 200
    answers = [
        running.http.get("/v1/collections", headers={"X-Api-Key": f"fk_{n:012x}_{'A' * 43}"})
        for n in range(80)
    ]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    # others behind the same address are not locked out, also when their key is looked up again
    running.app.state.door._cached[auth._digest(good["Authorization"].split()[1])] = (
        0.0,
        Keys(running.service.index.state).all()[0],
    )
    assert status(running, good) == 200


def test_keys_work_over_elasticsearch(start, elasticsearch_url):
    running = start(f"{elasticsearch_url}/api-keys", keys=True)
    try:
        headers = running.key("admin", collections=("shop",))
        running.store(photo_jpeg(), "a", headers)
        listed = running.http.get("/v1/collections", headers=headers).json()
        assert listed["collections"] == [{"name": "shop", "images": 1}]
        assert running.http.get("/v1/collections").status_code == 401
    finally:
        running.service.index.destroy()
