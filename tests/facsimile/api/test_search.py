"""Searching and comparing over HTTP."""

from __future__ import annotations

import base64

import pytest

from tests.support.pictures import EDITS, photo_jpeg, photograph


@pytest.fixture
def filled(api):
    """Six photographs, three of them in a collection `space`."""
    for place in range(6):
        api.store(
            photo_jpeg(place),
            str(place),
            collection="space" if place % 2 else "default",
            title=["astronaut", "cat", "coffee", "rocket", "camera", "galaxies"][place],
            metadata='{"even": %s}' % ("false" if place % 2 else "true"),
        )
    return api


def test_an_edited_image_is_found_by_file_bytes_and_address(filled, web):
    edited = EDITS["border"](photograph("chelsea.png"))
    by_file = filled.http.post("/v1/search", files={"image": edited})
    assert by_file.status_code == 200, by_file.text
    found = by_file.json()
    assert [match["id"] for match in found["matches"]] == ["1"]
    assert found["matches"][0]["verdict"] == "copy"
    assert found["query"]["format"] == "JPEG"
    by_bytes = filled.http.post("/v1/search", json={"image_base64": base64.b64encode(edited).decode()})
    assert by_bytes.json()["matches"] == found["matches"]
    thumbnail = filled.http.get(found["matches"][0]["thumbnail"])
    assert thumbnail.headers["content-type"] == "image/jpeg"


def test_what_is_asked_limits_what_is_found(filled):
    def ids(**fields):
        answer = filled.http.post("/v1/search", files={"image": photo_jpeg(1)}, data=fields)
        assert answer.status_code == 200, answer.text
        return [match["id"] for match in answer.json()["matches"]]

    assert ids() == ["1"]
    assert ids(collections=["space"]) == ["1"]
    assert ids(collections=["default"]) == []
    assert ids(filter='{"even": "true"}') == []
    assert ids(filter='{"even": ["true", "false"]}') == ["1"]
    assert ids(min_score="1") == ["1"]
    assert set(ids(text="rocket")) == {"1", "3"}


def test_words_alone_are_enough_and_a_stored_image_does_not_find_itself(filled):
    words = filled.http.post("/v1/search", json={"text": "rocket"}).json()
    assert [(match["id"], match["verdict"]) for match in words["matches"]] == [("3", "text")]
    filled.store(photo_jpeg(3, longest=150), "copy of 3")
    stored = filled.http.post("/v1/search", json={"id": "3", "collection": "space"}).json()
    assert [match["id"] for match in stored["matches"]] == ["copy of 3"]


def test_a_stored_image_that_is_asked_about_is_told_as_it_was_stored(api):
    large = photo_jpeg(1, longest=450)
    api.store(large, "large")
    by_file = api.http.post("/v1/search", files={"image": large}).json()
    by_id = api.http.post("/v1/search", json={"id": "large"}).json()
    assert by_file["query"]["width"] == 450
    assert by_id["query"] == by_file["query"]


def test_a_batch_answers_in_its_order_with_errors_in_their_places(filled):
    queries = [
        {"image_base64": base64.b64encode(photo_jpeg(2)).decode()},
        {"image_base64": base64.b64encode(b"nothing").decode()},
        {"id": "absent"},
        {},
        {"url": "ftp://example.org/a.jpg"},
        {"id": "4"},
        {"image_base64": base64.b64encode(photo_jpeg(5)).decode()},
    ]
    told = filled.http.post("/v1/search/batch", json={"queries": queries})
    assert told.status_code == 200, told.text
    answers = told.json()["answers"]
    assert [[match["id"] for match in answer["matches"]] for answer in answers] == [
        ["2"],
        [],
        [],
        [],
        [],
        [],
        ["5"],
    ]
    assert [answer["error"] and answer["error"]["status"] for answer in answers] == [
        None,
        415,
        404,
        422,
        422,
        None,
        None,
    ]


def test_two_images_are_compared_whatever_they_come_as(filled):
    files = {"first": photo_jpeg(1), "second": EDITS["gray"](photograph("chelsea.png"))}
    same = filled.http.post("/v1/compare", files=files)
    assert same.status_code == 200, same.text
    assert same.json()["verdict"] == "copy"
    other = filled.http.post("/v1/compare", json={"first": {"id": "1"}, "second": {"id": "2"}}).json()
    assert other["verdict"] == "different"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"limit": 0}, "body.limit"),
        ({"limit": 10_000}, "body.limit"),
        ({"mode": "best"}, "body.mode"),
        ({"orientations": ["sideways"]}, "body.orientations.0"),
        ({"collections": ["a b"]}, "body.collections.0"),
        ({"filter": "{"}, "body.filter"),
        ({"surprise": 1}, "body.surprise"),
    ],
)
def test_what_makes_no_sense_is_named(api, body, where):
    answer = api.http.post("/v1/search", json=body)
    assert answer.status_code == 422
    assert [fault["where"] for fault in answer.json()["errors"]] == [where]


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        (b"", 422, "image-empty"),
        (b"%PDF-1.4", 415, "image-unknown"),
        (photo_jpeg()[:2000], 422, "image-broken"),
    ],
)
def test_a_bad_image_is_told_as_what_it_is(api, data, status, kind):
    answer = api.http.post("/v1/search", files={"image": ("a.jpg", data)})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:facsimile:{kind}")


def test_no_image_and_two_images_are_no_question(api):
    assert api.http.post("/v1/search", json={}).status_code == 422
    two = api.http.post("/v1/search", files={"image": photo_jpeg()}, data={"url": "http://example.org/"})
    assert two.status_code == 422


def test_what_is_not_there_is_a_problem_document_too(api):
    for method, path, status in [
        ("GET", "/nothing", 404),
        ("GET", "/v1/search", 405),
        ("PUT", "/healthz", 405),
    ]:
        answer = api.http.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert (
        api.http.post("/v1/search", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    )
