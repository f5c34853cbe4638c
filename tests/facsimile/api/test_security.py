"""What strangers try: addresses of the inside, foreign web pages, query syntax, headers."""

from __future__ import annotations

import base64
import json
import time

import pytest

from tests.support.pictures import photo_jpeg

JSON = {"Content-Type": "application/json"}


def refused(answer, status: int, kind: str) -> None:
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:facsimile:{kind}"), answer.text


# -- addresses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/a.jpg",
        "http://localhost:{port}/a.jpg",
        "http://[::1]:{port}/a.jpg",
        "http://[::ffff:127.0.0.1]:{port}/a.jpg",
        "http://2130706433:{port}/a.jpg",
        "http://0x7f.1:{port}/a.jpg",
        "http://0.0.0.0:{port}/a.jpg",
        "http://10.0.0.1/a.jpg",
        "http://192.168.1.1/a.jpg",
        "http://169.254.1.1/a.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://user:secret@127.0.0.1:{port}/a.jpg",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.jpg",
        "gopher://127.0.0.1:{port}/_GET",
        "s3://bucket/a.jpg",
        "/etc/passwd",
        "id:a",
        "http://",
        "http://[::1",
    ],
)
def test_an_address_of_the_inside_is_never_asked(api, web, url):
    web.serve("/a.jpg", photo_jpeg())
    given = url.format(port=web.port)
    refused(api.http.post("/v1/search", json={"url": given}), 422, "url-refused")
    refused(api.http.post("/v1/images", json={"url": given}), 422, "url-refused")
    refused(api.http.post("/v1/compare", json={"first": {"url": given}, "second": {}}), 422, "url-refused")
    batch = api.http.post("/v1/images/batch", json={"images": [{"url": given}]}).json()
    assert batch["outcomes"][0]["error"]["type"] == "urn:facsimile:url-refused"
    match = api.http.post("/compat/match/add", data={"url": given, "filepath": "a"})
    assert match.status_code == 400
    assert web.hits == []


@pytest.fixture
def inside(start):
    """A server that may fetch from this machine, with little patience."""
    return start(settings={"fetch_allow_private": True, "fetch_timeout": 1.0, "max_bytes": 200_000})


def test_a_redirect_to_another_scheme_is_refused(inside, web):
    url = web.serve("/a.jpg", b"", 302, Location="file:///etc/passwd")
    refused(inside.http.post("/v1/search", json={"url": url}), 422, "url-refused")


def test_a_redirect_to_the_inside_is_refused(start, web, monkeypatch):
    from facsimile.ingest import addresses, fetch

    # only the first server's name is public here; it is reached, and redirects to the metadata service
    monkeypatch.setattr(addresses, "is_public", lambda address: str(address) == "127.0.0.1")
    monkeypatch.setattr(fetch, "checked", addresses.checked)
    api = start()
    for target in ("http://169.254.169.254/latest/", "http://[::1]/", "http://10.1.2.3/"):
        url = web.serve("/a.jpg", b"", 302, Location=target)
        refused(api.http.post("/v1/search", json={"url": url}), 422, "url-refused")
    assert set(web.hits) == {"/a.jpg"}


def test_a_name_that_changes_its_address_is_looked_up_once(start, web, monkeypatch):
    from facsimile.ingest import addresses, fetch

    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    monkeypatch.setattr(addresses, "is_public", lambda address: str(address) == "127.0.0.1")
    monkeypatch.setattr(fetch.Fetcher.__init__, "__kwdefaults__", {"resolver": rebinding})
    api = start()
    web.serve("/a.jpg", photo_jpeg())
    answer = api.http.post("/v1/search", json={"url": web.url("/a.jpg", host="rebind.example")})
    assert answer.status_code == 200, answer.text
    assert asked == ["rebind.example"]
    again = api.http.post("/v1/search", json={"url": web.url("/b.jpg", host="rebind.example")})
    assert again.status_code != 200


def test_an_endless_body_and_a_slow_one_end(inside, web):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(65536))

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    web.routes |= {"/endless": endless, "/slow": slow}
    refused(inside.http.post("/v1/search", json={"url": web.url("/endless")}), 413, "source-too-large")
    refused(inside.http.post("/v1/search", json={"url": web.url("/slow")}), 424, "fetch-failed")


def test_what_an_address_answers_is_not_repeated(inside, web):
    url = web.serve("/a.jpg", b"secret of the inside", 200)
    answer = inside.http.post("/v1/search", json={"url": url})
    assert answer.status_code == 415
    assert "secret" not in answer.text
    missing = inside.http.post("/v1/search", json={"url": web.url("/missing?token=secret")})
    refused(missing, 424, "fetch-rejected")
    assert "secret" not in missing.text


# -- web pages -------------------------------------------------------------------------------------------


def test_foreign_pages_may_not_ask(api):
    foreign = {"Origin": "https://evil.example"}
    refused(api.http.post("/v1/images", files={"image": photo_jpeg()}, headers=foreign), 403, "foreign-page")
    refused(api.http.delete("/v1/images/a", headers={"Origin": "null"}), 403, "foreign-page")
    preflight = api.http.options("/v1/search", headers=foreign | {"Access-Control-Request-Method": "POST"})
    read = api.http.get("/v1/collections", headers=foreign)
    for answer in (preflight, read):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    own = api.http.post("/v1/search", files={"image": photo_jpeg()}, headers={"Origin": api.url})
    assert own.status_code == 200


def test_pages_that_were_named_may_ask(start):
    api = start(origins=("https://shop.example",))
    named = {"Origin": "https://shop.example"}
    preflight = api.http.options(
        "/v1/search",
        headers=named
        | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-Api-Key"},
    )
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    answer = api.http.post("/v1/search", files={"image": photo_jpeg()}, headers=named)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, named["Origin"])
    assert "access-control-allow-credentials" not in answer.headers
    other = {"Origin": "https://shop.example.evil.example"}
    refused(api.http.post("/v1/search", files={"image": photo_jpeg()}, headers=other), 403, "foreign-page")


def test_a_foreign_name_for_this_machine_is_refused(start):
    api = start(hosts=("127.0.0.1", "localhost"))
    assert api.http.get("/v1/collections").status_code == 200
    for host in (
        *(
            "evil.example",
            "127.0.0.1.evil.example",
            "",
            "[",
            "x@127.0.0.1",
            "x:y@localhost:80",
            "127.0.0.1/a",
        ),
        *("localhost?a", "localhost#a", "localhost:80:80", "localhost:a", "evil.example@localhost"),
    ):
        refused(api.http.get("/v1/collections", headers={"Host": host}), 421, "misdirected")


def test_every_answer_tells_browsers_to_be_careful(api):
    api.store(photo_jpeg(), "a")
    for path in ("/healthz", "/v1/images/a/thumbnail", "/nothing", "/metrics", "/openapi.json"):
        headers = api.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")


# -- queries ---------------------------------------------------------------------------------------------

SYNTAX = [
    "' OR 1=1 --",
    '") OR 1=1 --',
    "x'); DROP TABLE records; --",
    '{"match_all": {}}',
    "* OR collection:theirs",
    "mine OR NEAR(a b)",
    '"',
    "a* ^ b : c - d ( [ {",
    "title:x",
    "\\",
    "\u0000",
    "%' ESCAPE '",
    "_source.collection",
    "}}{{7*7}}",
]


@pytest.fixture(params=["embedded", "elastic"])
def filled(request, start):
    location = ""
    if request.param == "elastic":
        location = f"{request.getfixturevalue('elasticsearch_url')}/api-security"
    api = start(location)
    api.store(photo_jpeg(), "a", title="portrait", tags="space", metadata='{"camera": "X100"}')
    yield api
    if request.param == "elastic":
        api.service.index.destroy()


def test_filters_and_words_are_values_and_never_syntax(filled):
    data = base64.b64encode(photo_jpeg()).decode()
    for text in SYNTAX:
        for body in (
            {"image_base64": data, "filter": {"camera": text}},
            {"image_base64": data, "filter": {text: "X100"}},
            {"image_base64": data, "filter": {"id": text}},
            {"text": text},
        ):
            answer = filled.http.post("/v1/search", content=json.dumps(body), headers=JSON)
            assert answer.status_code in (200, 422), (body, answer.text)
            if answer.status_code == 200:
                assert answer.json()["matches"] == [], body
        listed = filled.http.get("/v1/images", params={"filter": f"tags={text}"})
        assert listed.json().get("images", []) == []
        cursor = filled.http.get("/v1/images", params={"cursor": text})
        assert cursor.status_code in (200, 422)
    assert filled.http.get("/v1/collections").json()["images"] == 1


def test_the_faults_of_the_server_are_told_to_its_log_alone(api, tmp_path):
    api.service.index.close()
    for path in tmp_path.glob("index/*"):
        path.unlink()
    answer = api.http.get("/v1/collections")
    assert answer.status_code in (500, 503)
    assert str(tmp_path) not in answer.text
