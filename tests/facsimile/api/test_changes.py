"""Changing what is said of an image, what a key may do, and requests that ask for what is not there."""

from __future__ import annotations

import pytest

from tests.support.pictures import photo_jpeg


def test_title_tags_and_metadata_are_changed_without_the_picture(api):
    path = "/v1/images/a%2Fb"
    api.http.put(path, files={"image": photo_jpeg()}, data={"title": "old", "tags": ["x", "y"]})
    before = api.http.get(path).json()
    changed = api.http.patch(path, json={"title": "new", "metadata": {"year": 1969}})
    assert changed.status_code == 200, changed.text
    after = api.http.get(path).json()
    assert changed.json() == after == before | {"title": "new", "metadata": {"year": 1969}}
    assert api.http.patch(path, json={"title": "", "tags": [], "metadata": {}}).status_code == 200
    cleared = api.http.get(path).json()
    assert (cleared["title"], cleared["tags"], cleared["metadata"]) == ("", [], {})
    assert cleared["sha256"] == before["sha256"]
    found = api.http.post("/v1/search", files={"image": photo_jpeg()}).json()["matches"]
    assert [match["id"] for match in found] == ["a/b"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"colour": "red"}, 422),
        ({"title": 5}, 422),
        ({"tags": ["x" * 40_000]}, 422),
        ({"metadata": [1]}, 422),
        ({}, 200),
    ],
)
def test_changes_that_cannot_be_stored(api, changes, status):
    api.http.put("/v1/images/a", files={"image": photo_jpeg()}, data={"title": "old"})
    assert api.http.patch("/v1/images/a", json=changes).status_code == status
    assert api.http.get("/v1/images/a").json()["title"] == "old"


def test_who_may_change(start):
    api = start(keys=True)
    admin = api.key("admin")
    for collection in ("mine", "theirs"):
        api.store(photo_jpeg(), f"{collection}-1", admin, collection=collection, title="old")
    writer, reader = api.key("read", "write", collections=("mine",)), api.key("read")
    patch = {"title": "new"}
    assert api.http.patch("/v1/images/mine-1", json=patch, headers=reader).status_code == 403
    assert api.http.patch("/v1/images/theirs-1", json=patch, headers=writer).status_code == 404
    assert api.http.patch("/v1/images/mine-1", json=patch, headers=writer).status_code == 200
    assert api.http.get("/v1/images/theirs-1", headers=admin).json()["title"] == "old"
    assert api.http.patch("/v1/images/none", json=patch, headers=writer).status_code == 404


def test_a_key_is_told_what_it_may_do(start):
    api = start(keys=True)
    key = api.key("read", collections=("mine",))
    told = api.http.get("/v1/me", headers=key).json()
    assert (told["scopes"], told["collections"]) == (["read"], ["mine"])
    assert told["name"].startswith("key ")
    assert api.http.get("/v1/me").status_code == 401


def test_a_caller_without_a_key_may_do_all_where_none_is_needed(api):
    told = api.http.get("/v1/me").json()
    assert (told["scopes"], told["collections"]) == (["read", "write", "admin"], [])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/images?colection=mine", "colection"),
        ("/v1/images?limit=5&Cursor=x", "Cursor"),
        ("/v1/collections?limit=5", "limit"),
        ("/v1/jobs?job=5", "job"),
    ],
)
def test_unknown_query_parameters_are_refused(api, path, name):
    response = api.http.get(path)
    assert response.status_code == 422
    assert f"query.{name}: unknown query parameter" in response.json()["detail"]


def test_known_query_parameters_are_taken(api):
    api.store(photo_jpeg(), "a", {}, collection="mine")
    assert len(api.http.get("/v1/images?collection=mine&limit=5").json()["images"]) == 1
    assert api.http.get("/healthz?x=1").status_code == 200


def test_the_rate_is_told(start):
    api = start(rate=5)
    headers = [api.http.get("/v1/collections").headers for _ in range(2)]
    assert [each["ratelimit-limit"] for each in headers] == ["10", "10"]
    assert int(headers[1]["ratelimit-remaining"]) < int(headers[0]["ratelimit-remaining"]) < 10
    while (response := api.http.get("/v1/collections")).status_code == 200:
        pass
    assert response.status_code == 429
    assert response.headers["ratelimit-remaining"] == "0"
    assert int(response.headers["ratelimit-reset"]) >= 1


def test_no_rate_no_headers(start):
    headers = start(rate=0).http.get("/v1/collections").headers
    assert "ratelimit-limit" not in headers
