"""Storing, reading, listing and forgetting images over HTTP."""

from __future__ import annotations

import base64
import hashlib

from tests.support.pictures import photo_jpeg


def test_a_stored_image_is_there_until_it_is_forgotten(api):
    stored = api.http.post(
        "/v1/images",
        files={"image": photo_jpeg()},
        data={
            "id": "people/Eileen Ä",
            "title": "An astronaut",
            "tags": ["space", "portrait"],
            "metadata": '{"camera": {"model": "X100"}}',
        },
    )
    assert stored.status_code == 201
    assert stored.json()["status"] == "added"
    where = stored.headers["location"]
    image = api.http.get(where).json()
    assert (image["id"], image["title"], image["tags"]) == (
        "people/Eileen Ä",
        "An astronaut",
        ["space", "portrait"],
    )
    assert image["sha256"] == hashlib.sha256(photo_jpeg()).hexdigest()
    assert image["metadata"] == {"camera": {"model": "X100"}}
    assert api.http.delete(where).status_code == 204
    gone = api.http.get(where)
    assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")
    assert gone.json()["type"] == "urn:facsimile:record-missing"


def test_the_same_image_again_changes_nothing_and_another_replaces_it(api):
    assert api.http.put("/v1/images/a", files={"image": photo_jpeg()}).status_code == 201
    again = api.http.put("/v1/images/a", files={"image": photo_jpeg()})
    assert (again.status_code, again.json()["status"]) == (200, "unchanged")
    other = api.http.put("/v1/images/a", json={"image_base64": base64.b64encode(photo_jpeg(1)).decode()})
    assert (other.status_code, other.json()["status"]) == (200, "updated")
    assert api.http.get("/v1/images/a").json()["sources"] == []


def test_a_batch_stores_what_can_be_read_and_tells_what_cannot(api):
    images = [
        {"image_base64": base64.b64encode(photo_jpeg()).decode(), "id": "a"},
        {"image_base64": base64.b64encode(b"GIF89a no").decode(), "id": "b"},
        {"url": "http://127.0.0.1:9/x.jpg", "id": "c"},
        {"id": "d"},
    ]
    answer = api.http.post("/v1/images/batch", json={"images": images, "collection": "shop"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["added"], told["failed"]) == (1, 3)
    assert [one["error"] and one["error"]["status"] for one in told["outcomes"]] == [None, 422, 422, 422]
    assert api.http.get("/v1/collections").json() == {
        "collections": [{"name": "shop", "images": 1}],
        "images": 1,
    }


def test_a_listing_is_read_to_its_end_while_others_write(api):
    for name in "abcdef":
        api.store(photo_jpeg(), name, title=name)
    seen, cursor = [], None
    while True:
        page = api.http.get("/v1/images", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [image["id"] for image in page["images"]]
        if "b" in seen and len(seen) == 2:
            api.http.delete("/v1/images/b")  # the very record that the cursor stands on
            api.store(photo_jpeg(1), "aa")
            api.store(photo_jpeg(1), "cc")
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == ["a", "b", "c", "cc", "d", "e", "f"]


def test_a_thumbnail_is_sent_only_once(api):
    api.store(photo_jpeg(), "a")
    first = api.http.get("/v1/images/a/thumbnail")
    assert (first.status_code, first.headers["content-type"]) == (200, "image/jpeg")
    tag = first.headers["etag"]
    again = api.http.get("/v1/images/a/thumbnail", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    api.store(photo_jpeg(2), "a")
    assert api.http.get("/v1/images/a/thumbnail", headers={"If-None-Match": tag}).status_code == 200


def test_a_write_is_done_once_under_its_idempotency_key(api):
    headers = {"Idempotency-Key": "7"}
    first = api.http.post("/v1/images", files={"image": photo_jpeg()}, data={"id": "a"}, headers=headers)
    api.http.delete("/v1/images/a")
    second = api.http.post("/v1/images", files={"image": photo_jpeg()}, data={"id": "a"}, headers=headers)
    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["idempotency-replayed"] == "true"
    assert api.http.get("/v1/images/a").status_code == 404
    other = api.http.post("/v1/images", files={"image": photo_jpeg(1)}, data={"id": "a"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "urn:facsimile:idempotency-key-reused")


def test_a_write_that_failed_may_be_tried_again_under_its_key(api):
    headers = {"Idempotency-Key": "7"}
    for _ in range(2):
        bad = api.http.put("/v1/images/a", files={"image": b"no image"}, headers=headers)
        assert bad.status_code == 415
    assert api.http.get("/v1/images/a").status_code == 404


def test_an_id_of_two_collections_has_to_be_told_apart(api):
    api.store(photo_jpeg(), "a", collection="one")
    api.store(photo_jpeg(1), "a", collection="two")
    assert api.http.get("/v1/images/a").status_code == 409
    assert api.http.delete("/v1/images/a").status_code == 409
    assert api.http.delete("/v1/images/a", params={"collection": "one"}).status_code == 204
    assert api.http.get("/v1/images/a").json()["collection"] == "two"
    assert api.http.delete("/v1/collections/two").json() == {"removed": 1}
    assert api.http.delete("/v1/collections/two").status_code == 404


def test_where_there_is_a_queue_a_write_is_handed_over_unless_the_caller_waits(start):
    handed = []

    def submit(drafts):
        handed.extend(drafts)
        return "5f0c"

    api = start(service_changes={"submit": submit})
    data = {"id": "a", "collection": "shop"}
    later = api.http.post("/v1/images", files={"image": photo_jpeg()}, data=data)
    assert (later.status_code, later.headers["location"]) == (202, "/v1/jobs/5f0c")
    assert later.json() == {"job": "5f0c", "status_url": "/v1/jobs/5f0c"}
    batch = api.http.post("/v1/images/batch", files=[("image", photo_jpeg(1)), ("image", photo_jpeg(2))])
    assert batch.status_code == 202
    assert [(draft.id, draft.collection) for draft in handed] == [
        ("a", "shop"),
        (None, "default"),
        (None, "default"),
    ]
    assert api.http.get("/v1/collections").json()["images"] == 0
    now = api.http.post("/v1/images", params={"wait": True}, files={"image": photo_jpeg()}, data=data)
    assert now.status_code == 201


def test_without_a_queue_nobody_can_be_sent_away(api):
    answer = api.http.post("/v1/images", params={"wait": False}, files={"image": photo_jpeg()})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:facsimile:invalid")
