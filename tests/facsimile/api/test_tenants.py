"""A key that is limited to collections never sees, counts, compares with or deletes what is in others."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.api_server import Running
from tests.support.pictures import photo_jpeg


@dataclass
class Tenants:
    """A server with the same picture of two tenants, and the headers of one of them and of an admin."""

    api: Running
    mine: dict[str, str]
    admin: dict[str, str]

    def ask(self, method: str, path: str, **options: Any) -> Any:
        return self.api.http.request(method, path, headers=self.mine, **options)


@pytest.fixture(params=["embedded", "elastic"])
def tenants(request, start):
    location = ""
    if request.param == "elastic":
        location = f"{request.getfixturevalue('elasticsearch_url')}/api-tenants"
    api = start(location, keys=True)
    admin = api.key("admin")
    for collection in ("mine", "theirs"):
        api.store(photo_jpeg(), f"{collection}-1", admin, collection=collection, title="a portrait")
        api.store(photo_jpeg(1), "same", admin, collection=collection, title="a cat", tags="cat")
    yield Tenants(api, api.key("read", "write", collections=("mine",)), admin)
    if request.param == "elastic":
        api.service.index.destroy()


def test_searches_find_the_own_alone(tenants):
    data = base64.b64encode(photo_jpeg()).decode()
    bodies = [
        {"image_base64": data},
        {"image_base64": data, "collections": ["mine", "theirs"]},
        {"image_base64": data, "text": "portrait", "limit": 200},
        {"text": "portrait"},
        {"image_base64": data, "filter": {"collection": ["theirs"]}},
        {"image_base64": data, "filter": {"sha256": ["x"], "title": ["a portrait"]}},
        {"image_base64": data, "collections": ["theirs"]},
        {"text": "portrait", "collections": ["theirs"]},
        {"image_base64": data, "filter": {"id": "theirs-1"}},
    ]
    for body in bodies:
        answer = tenants.ask("POST", "/v1/search", json=body)
        assert answer.status_code == 200, answer.text
        found = {match["id"] for match in answer.json()["matches"]}
        assert found <= {"mine-1"}, body
        assert "theirs" not in answer.text
    assert {match["id"] for match in tenants.ask("POST", "/v1/search", json=bodies[0]).json()["matches"]} == {
        "mine-1"
    }
    batch = tenants.ask("POST", "/v1/search/batch", json={"queries": [bodies[0]], "collections": ["theirs"]})
    assert batch.json()["answers"][0]["matches"] == []


def test_the_id_of_another_is_as_unknown_as_one_that_is_nobodys(tenants):
    def told(method: str, path: str, **options: Any) -> tuple[int, Any]:
        answer = tenants.ask(method, path, **options)
        body = answer.json()
        body.pop("request_id")
        return answer.status_code, json.loads(
            json.dumps(body).replace("theirs-1", "ID").replace("nobody", "ID")
        )

    for method, path in [("GET", ""), ("GET", "/thumbnail"), ("DELETE", "")]:
        for query in ("", "?collection=theirs"):
            other = told(method, f"/v1/images/theirs-1{path}{query}")
            assert other == told(method, f"/v1/images/nobody{path}{query}")
            assert other[0] == 404
    assert told("POST", "/v1/search", json={"id": "theirs-1"}) == told(
        "POST", "/v1/search", json={"id": "nobody"}
    )
    asked = {"id": "theirs-1", "collection": "theirs"}
    compared = told("POST", "/v1/compare", json={"first": {"id": "mine-1"}, "second": asked})
    assert compared[0] == 404
    assert told("DELETE", "/v1/collections/theirs")[0] == told("DELETE", "/v1/collections/nobodys")[0] == 404


def test_an_id_that_both_have_means_the_own(tenants):
    assert tenants.ask("GET", "/v1/images/same").json()["collection"] == "mine"
    assert tenants.ask("DELETE", "/v1/images/same").status_code == 204
    left = tenants.api.http.get("/v1/images/same", headers=tenants.admin)
    assert left.json()["collection"] == "theirs"


def test_listings_and_cursors_stay_within(tenants):
    page = tenants.api.http.get("/v1/images", params={"limit": 3}, headers=tenants.admin).json()
    assert page["images"][-1]["collection"] == "theirs"
    for query in [{}, {"cursor": page["cursor"]}, {"collection": "theirs"}, {"filter": "tags=cat"}]:
        answer = tenants.ask("GET", "/v1/images", params=query)
        assert answer.status_code == 200
        assert {image["collection"] for image in answer.json()["images"]} <= {"mine"}
    collections = tenants.ask("GET", "/v1/collections").json()
    assert collections == {"collections": [{"name": "mine", "images": 2}], "images": 2}


def test_writes_go_to_the_own_alone(tenants):
    put = tenants.ask("PUT", "/v1/images/new?collection=theirs", files={"image": photo_jpeg(2)})
    post = tenants.ask("POST", "/v1/images", files={"image": photo_jpeg(2)}, data={"collection": "theirs"})
    data = base64.b64encode(photo_jpeg(2)).decode()
    batch = tenants.ask(
        "POST", "/v1/images/batch", json={"images": [{"image_base64": data, "collection": "theirs"}]}
    )
    assert {put.status_code, post.status_code, batch.status_code} == {403}
    assert tenants.ask("PUT", "/v1/images/new", files={"image": photo_jpeg(2)}).json()["collection"] == "mine"
    # the id of another's record is free for the own
    assert tenants.ask("PUT", "/v1/images/theirs-1", files={"image": photo_jpeg(2)}).status_code == 201
    theirs = tenants.api.http.get("/v1/images/theirs-1?collection=theirs", headers=tenants.admin).json()
    assert theirs["title"] == "a portrait"


def test_the_routes_of_match_stay_within(tenants):
    assert tenants.ask("GET", "/compat/match/count").json()["result"] == [2]
    assert tenants.ask("GET", "/compat/match/list").json()["result"] == ["mine-1", "same"]
    found = tenants.ask("POST", "/compat/match/search", files={"image": photo_jpeg()}).json()["result"]
    assert [match["filepath"] for match in found] == ["mine-1"]
    assert tenants.ask("DELETE", "/compat/match/delete", data={"filepath": "theirs-1"}).status_code == 200
    assert tenants.api.http.get("/v1/images/theirs-1", headers=tenants.admin).status_code == 200


def test_figures_of_all_are_for_admins(tenants):
    assert tenants.ask("GET", "/metrics").status_code == 403
    told = tenants.api.http.get("/metrics", headers=tenants.admin).text
    assert "theirs" not in told


def test_an_answer_under_an_idempotency_key_is_for_its_key_alone(tenants):
    headers = {"Idempotency-Key": "1"}
    first = tenants.api.http.post(
        "/v1/images",
        files={"image": photo_jpeg(2)},
        data={"id": "x", "collection": "theirs"},
        headers=tenants.admin | headers,
    )
    assert first.status_code == 201
    mine = tenants.api.http.post(
        "/v1/images", files={"image": photo_jpeg(2)}, data={"id": "x"}, headers=tenants.mine | headers
    )
    assert (mine.status_code, mine.json()["collection"]) == (201, "mine")
