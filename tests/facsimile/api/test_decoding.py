"""Pictures that are slow to read, or that crash their decoder, as callers of the API meet them."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest

from facsimile.ingest.isolated import IsolatedReader
from tests.support.faulty_model import CRASHES, HANGS
from tests.support.pictures import photo_jpeg

pytestmark = pytest.mark.slow


@pytest.fixture
def faulty_api(start, faulty_decoder):
    """A server whose decoders hang on some pictures and crash on others, with one place of each kind."""
    reader = IsolatedReader(processes=1, seconds=4, batch_seconds=30, open_model=faulty_decoder.open_model)
    yield start(
        service_changes={
            "read": reader.read,
            "close": reader.close,
        },
        threads=1,
        line=8,
    )
    reader.close()


def test_a_picture_that_crashes_its_decoder_is_told_wherever_it_comes(faulty_api):
    bad, good = photo_jpeg(0, CRASHES), photo_jpeg()
    http = faulty_api.http
    answers = [
        http.post("/v1/search", files={"image": bad}),
        http.post("/v1/search", json={"image_base64": b64encode(bad).decode()}),
        http.post("/v1/compare", files={"first": good, "second": bad}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:facsimile:image-unreadable")
    batch = http.post("/v1/search/batch", files=[("image", bad), ("image", good)]).json()["answers"]
    assert batch[0]["error"]["type"] == "urn:facsimile:image-unreadable"
    assert batch[1]["error"] is None
    compat = http.post("/compat/match/search", files={"image": bad})
    assert (compat.status_code, compat.json()["error"]) == (400, ["the decoder crashed on it"])


def test_searches_go_on_while_pictures_hang(faulty_api, faulty_decoder):
    bad, good = photo_jpeg(0, HANGS), photo_jpeg()
    assert faulty_api.http.post("/v1/search", files={"image": good}).status_code == 200
    with ThreadPoolExecutor(3) as attackers:
        attacks = [
            attackers.submit(faulty_api.http.post, "/v1/search", files={"image": bad}) for _ in range(3)
        ]
        faulty_decoder.wait_for_hang()
        asked = [faulty_api.http.post("/v1/search", files={"image": good}) for _ in range(4)]
    assert [answer.status_code for answer in asked] == [200] * 4
    told = {(attack.result().status_code, attack.result().json()["type"]) for attack in attacks}
    assert told <= {(422, "urn:facsimile:image-too-slow"), (503, "urn:facsimile:busy")}
    assert (422, "urn:facsimile:image-too-slow") in told
