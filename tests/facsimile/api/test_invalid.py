"""Faults of the caller: refused with the part at fault and the reason, and never told to come back later."""

import base64
import json
from typing import Any

import pytest

from tests.support.pictures import photo_jpeg

IMAGE = base64.b64encode(photo_jpeg()).decode()

#: what is wrong with the words of an image, as JSON, and what the answer says about it
WORDS = {
    '"metadata":{"n":123456789012345678901234567890}': "64 bits",
    '"metadata":{"n":[1,{"o":-9223372036854775809}]}': "64 bits",
    '"metadata":{"n":1e999}': "inf",
    '"metadata":{"n":-1e999}': "inf",
    '"metadata":{"n":NaN}': "nan",
    '"metadata":{"n":Infinity}': "inf",
    '"metadata":' + '{"a":' * 22 + "1" + "}" * 22: "nested deeper than 20",
    '"metadata":{"a":' + "[" * 22 + "]" * 22 + "}": "nested deeper than 20",
    '"metadata":' + '{"a":' * 5000 + "1" + "}" * 5000: "recursion",
    '"metadata":{"a":"%s"}' % ("x" * 70_000): "at most 65536",
    '"metadata":{"a\\u0000b":1}': "NUL",
    '"metadata":{"a":[{"\\u0000":1}]}': "NUL",
    '"metadata":{"%s":1}' % ("k" * 60_000): "at most 8192",
    '"metadata":{"a":"\\ud800"}': "hex escape",
    '"metadata":[1]': "object",
    '"tags":["%s"]' % ("x" * 9000): "9000 bytes",
    '"tags":["ok",1]': "string",
    '"title":"%s"' % ("x" * 5000): "4096",
    '"source":"%s"' % ("é" * 5000): "10000 bytes",
    '"id":"a\\u0000b"': "NUL",
    '"id":"%s"' % ("é" * 300): "600 bytes",
    '"id":""': "empty",
}


def refused(answer: Any) -> str:
    """The reasons of an answer that refuses the request for good."""
    problem = answer.json()
    assert answer.status_code == 422, answer.text[:300]
    assert problem["type"] == "urn:facsimile:invalid"
    assert "Retry-After" not in answer.headers
    assert len(answer.content) < 20_000
    return str(problem["detail"])


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[:40])
def test_words_that_no_index_takes_are_refused(api, words: str):
    one = f'{{"image_base64":"{IMAGE}",{words}}}'
    headers = {"Content-Type": "application/json"}
    alone = api.http.post("/v1/images", content=one, headers=headers)
    assert WORDS[words] in refused(alone)
    together = f'{{"images":[{{"image_base64":"{IMAGE}"}},{one}]}}'
    assert WORDS[words] in refused(api.http.post("/v1/images/batch", content=together, headers=headers))
    if not words.startswith('"id"'):
        assert WORDS[words] in refused(api.http.put("/v1/images/a", content=one, headers=headers))
    assert api.http.get("/v1/images").json()["images"] == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"metadata": '{"n":1e999}'}, "JSON"),
        ({"metadata": '{"n":123456789012345678901234567890}'}, "64 bits"),
        ({"metadata": '{"a\\u0000b":1}'}, "NUL"),
        ({"tags": "x" * 9000}, "9000 bytes"),
        ({"id": "a\0b"}, "NUL"),
        ({"source": "s" * 9000}, "9000 bytes"),
    ],
)
def test_fields_of_a_form_are_refused_alike(api, fields: dict[str, str], reason: str):
    answer = api.http.post("/v1/images", files={"image": photo_jpeg()}, data=fields)
    assert reason in refused(answer)


@pytest.mark.parametrize("id", ["a%00b", "%ED%A0%80", "%FF", "x" * 513, "%C3%A9" * 300])
def test_an_id_in_the_path_that_can_be_none_is_refused(api, id: str):
    refused(api.http.put(f"/v1/images/{id}", files={"image": photo_jpeg()}))
    refused(api.http.get(f"/v1/images/{id}"))
    refused(api.http.delete(f"/v1/images/{id}"))


def test_metadata_of_match_is_refused_alike(api):
    answer = api.http.post(
        "/compat/match/add",
        files={"image": photo_jpeg()},
        data={"filepath": "a", "metadata": json.dumps({"a\0b": 1})},
    )
    assert answer.status_code == 400, answer.text
    assert "NUL" in answer.text


@pytest.mark.parametrize(
    "prefix",
    [
        "data:image/jpeg;base64,",
        "data:;base64,",
        "DATA:image/png;charset=utf-8;BASE64,",
        " data:image/x;base64, ",
    ],
)
def test_an_image_may_come_as_a_data_url(api, prefix: str):
    given = {"image_base64": prefix + IMAGE}
    assert api.http.post("/v1/images", json=given | {"id": "a"}).status_code == 201
    (match,) = api.http.post("/v1/search", json=given).json()["matches"]
    assert (match["id"], match["verdict"]) == ("a", "identical")


def test_the_signs_of_a_data_url_may_be_escaped(api):
    given = {"image_base64": "data:image/jpeg;base64," + IMAGE.replace("+", "%2B").replace("/", "%2F")}
    assert api.http.post("/v1/search", json=given).status_code == 200


@pytest.mark.parametrize("given", ["data:image/svg+xml,<svg/>", "data:,", "data:", "data:image/jpeg;base64"])
def test_a_data_url_without_base64_is_refused(api, given: str):
    assert "data URL" in refused(api.http.post("/v1/search", json={"image_base64": given}))


@pytest.mark.parametrize("form", ["{}", " {} ", "\t{}\n", "HTTP{}", "Http{}"])
def test_an_address_may_have_capitals_and_blanks_around_it(start, web, form: str):
    inside = start(settings={"fetch_allow_private": True})
    url = web.serve("/a.jpg", photo_jpeg())
    given = form.format(url[4:] if form.lower().startswith("http") else url)
    assert inside.http.post("/v1/images", json={"url": given, "id": "a"}).status_code == 201
    stored = inside.http.get("/v1/images/a").json()
    assert stored["sources"] == [given.strip()]
    assert inside.http.post("/v1/search", json={"url": given}).json()["matches"][0]["id"] == "a"
