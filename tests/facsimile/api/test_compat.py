"""The routes of dsys/match as its own clients call them."""

from __future__ import annotations

import pytest

from tests.support.pictures import EDITS, photo_jpeg, photograph

AT = "/compat/match"


def ok(answer, method: str):
    """The result of an answer that is in the form that match gives."""
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert (body["status"], body["error"], body["method"]) == ("ok", [], method)
    assert set(body) == {"status", "error", "method", "result"}
    return body["result"]


def failed(answer, status: int) -> str:
    body = answer.json()
    assert answer.status_code == status, answer.text
    assert (body["status"], body["method"], body["result"]) == ("fail", "", [])
    (sentence,) = body["error"]
    return sentence


def test_the_life_of_an_image(api):
    add = api.http.post(
        f"{AT}/add",
        files={"image": photo_jpeg()},
        data={"filepath": "a/1.jpg", "metadata": '{"n": [1, null]}'},
    )
    assert ok(add, "add") == []
    edited = EDITS["quarter size"](photograph("astronaut.png", 200))
    (match,) = ok(api.http.post(f"{AT}/search", files={"image": edited}), "search")
    assert match["filepath"] == "a/1.jpg"
    assert match["metadata"] == {"n": [1, None]}
    assert 55 < match["score"] <= 100
    assert ok(api.http.get(f"{AT}/count"), "count") == ok(api.http.post(f"{AT}/count"), "count") == [1]
    assert ok(api.http.request("DELETE", f"{AT}/delete", data={"filepath": "a/1.jpg"}), "delete") == []
    assert ok(api.http.request("DELETE", f"{AT}/delete", data={"filepath": "a/1.jpg"}), "delete") == []
    assert ok(api.http.post(f"{AT}/search", files={"image": edited}), "search") == []
    assert ok(api.http.get(f"{AT}/ping"), "ping") == ok(api.http.post(f"{AT}/ping"), "ping") == []


def test_an_exact_path_is_replaced_and_removed_and_no_other(api):
    for path in ("a.jpg", "dir/a.jpg", "a.jpg b"):
        ok(api.http.post(f"{AT}/add", files={"image": photo_jpeg()}, data={"filepath": path}), "add")
    ok(api.http.post(f"{AT}/add", files={"image": photo_jpeg(1)}, data={"filepath": "a.jpg"}), "add")
    ok(api.http.request("DELETE", f"{AT}/delete", data={"filepath": "a.jpg"}), "delete")
    assert ok(api.http.get(f"{AT}/list"), "list") == ["a.jpg b", "dir/a.jpg"]


@pytest.mark.parametrize("metadata", ["[1, 2]", '"text"', "0", "false"])
def test_metadata_comes_back_as_it_went_in(api, metadata):
    data = {"filepath": "a", "metadata": metadata}
    ok(api.http.post(f"{AT}/add", files={"image": photo_jpeg()}, data=data), "add")
    answer = api.http.post(f"{AT}/search", files={"image": photo_jpeg()})
    assert f'"metadata":{metadata}' in answer.text.replace("[1,2]", "[1, 2]")


def test_a_list_is_cut_as_asked(api):
    for name in "cabed":
        ok(api.http.post(f"{AT}/add", files={"image": photo_jpeg()}, data={"filepath": name}), "add")
    assert ok(api.http.get(f"{AT}/list", params={"offset": 1, "limit": 2}), "list") == ["b", "c"]
    assert ok(api.http.post(f"{AT}/list", data={"offset": "4", "limit": "9"}), "list") == ["e"]
    assert ok(api.http.get(f"{AT}/list", params={"offset": -3, "limit": -1}), "list") == []


def test_turned_images_are_found_unless_they_are_not_wanted(api):
    ok(api.http.post(f"{AT}/add", files={"image": photo_jpeg(1)}, data={"filepath": "cat"}), "add")
    import io

    from PIL import Image

    turned = io.BytesIO()
    Image.open(io.BytesIO(photo_jpeg(1))).rotate(90, expand=True).save(turned, "PNG")

    def found(**data):
        answer = api.http.post(f"{AT}/search", files={"image": turned.getvalue()}, data=data)
        return len(ok(answer, "search"))

    assert found() == found(all_orientations="true") == 1
    assert found(all_orientations="false") == found(all_orientations="True") == 0


def test_two_images_are_compared_in_percent(api):
    files = {"image1": photo_jpeg(), "image2": photo_jpeg(0, longest=100)}
    (same,) = ok(api.http.post(f"{AT}/compare", files=files), "compare")
    assert same["score"] > 90
    (other,) = ok(
        api.http.post(f"{AT}/compare", files={"image1": photo_jpeg(), "image2": photo_jpeg(1)}), "compare"
    )
    assert other["score"] < 55


def test_an_address_counts_where_there_is_a_file_too(start, web):
    api = start(settings={"fetch_allow_private": True})
    url = web.serve("/a.jpg", photo_jpeg(1))
    data = {"filepath": "a", "url": url}
    ok(api.http.post(f"{AT}/add", files={"image": photo_jpeg()}, data=data), "add")
    (match,) = ok(api.http.post(f"{AT}/search", data={"url": url}), "search")
    assert match["score"] == 100


def test_errors_have_the_form_that_match_gives(api):
    image = {"image": photo_jpeg()}
    assert "filepath" in failed(api.http.post(f"{AT}/add", files=image), 400)
    assert "image" in failed(api.http.post(f"{AT}/add", data={"filepath": "a"}), 400)
    assert "metadata" in failed(
        api.http.post(f"{AT}/add", files=image, data={"filepath": "a", "metadata": "{"}), 400
    )
    deep = api.http.post(f"{AT}/add", files=image, data={"filepath": "a", "metadata": "[" * 100_000})
    assert "metadata" in failed(deep, 400)
    failed(api.http.post(f"{AT}/search", files={"image": b"no image"}), 400)
    assert "offset" in failed(api.http.get(f"{AT}/list", params={"offset": "x"}), 400)
    assert failed(api.http.get(f"{AT}/nothing"), 404) == "not found"
    assert failed(api.http.get(f"{AT}/add"), 405) == "method not allowed"
    assert failed(api.http.post(f"{AT}/search", data={"url": "http://127.0.0.1:1/"}), 400)
