"""The client against a real server: the same answers as the embedded object, and patience with servers."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

import facsimile
from facsimile.api import problems
from facsimile.client.errors import (
    KNOWN,
    ApiError,
    AuthError,
    ServerBusy,
    ServerUnreachable,
)
from facsimile.imaging.errors import BrokenImage, NotAnImage
from facsimile.ingest.errors import SourceNotAllowed, SourceNotFound
from facsimile.search.errors import AmbiguousId, InvalidRequest, RecordNotFound
from facsimile.search.evaluation.attacks import attack
from facsimile.workers.errors import JobNotFound
from tests.support.api_server import Thread
from tests.support.pictures import photo_jpeg


@pytest.fixture
def api(start):
    return start()


@pytest.fixture
def client(api):
    with facsimile.Client(api.url) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path):
    """A folder of three photographs and a broken one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for place in range(3):
        (folder / f"{place}.jpg").write_bytes(photo_jpeg(place, 400))
    (folder / "broken.jpg").write_bytes(photo_jpeg()[:900])
    return folder


def test_a_folder_is_stored_and_an_edited_copy_found_as_the_embedded_object_finds_it(
    client, api, photos, tmp_path
):
    outcomes: list[facsimile.Outcome] = []
    tally = client.ingest(photos, collection="shop", on_outcome=outcomes.append)
    assert (tally.added, tally.failed) == (3, 1)
    assert [one.error for one in outcomes] == ["", "", "", "BrokenImage"]
    assert client.ingest(photos, collection="shop").unchanged == 3
    suspect = tmp_path / "suspect.jpg"
    suspect.write_bytes(attack(photo_jpeg(0, 400), "flip"))
    with facsimile.open(tmp_path / "index", model="none") as embedded:
        expected = embedded.search(suspect, limit=3)
    for asked in (suspect, str(suspect), suspect.read_bytes()):
        found = client.search(asked, limit=3, collections=["shop"])
        assert [match.record.id for match in found] == [match.record.id for match in expected]
        for ours, theirs in zip(found, expected, strict=True):
            assert (ours.verdict, ours.hamming, ours.edit) == (theirs.verdict, theirs.hamming, theirs.edit)
            assert ours.record.source == theirs.record.source == str(photos / "0.jpg")
            assert ours.record.sources == theirs.record.sources
            assert ours.proof.inliers == theirs.proof.inliers
            assert ours.proof.transformation.mirrored
    assert client.search(suspect, collections=["other"]) == []


def test_options_of_a_search_count_for_files_and_for_stored_images(client, api):
    for place in range(2):
        client.add(
            photo_jpeg(place),
            id=f"p/{place}",
            title=f"number {place}",
            tags=["t", "u"],
            metadata={"n": place},
        )
    options: dict[str, Any] = {
        "limit": 1,
        "mode": "copies",
        "filter": {"n": "1"},
        "orientations": ["upright", "turn-90"],
        "probes": 1,
        "verify": False,
        "min_score": 0.5,
    }
    assert [match.record.id for match in client.search(photo_jpeg(1), **options)] == ["p/1"]
    assert client.search(photo_jpeg(0), **options) == []
    assert client.search("id:p/1", **options) == []
    (found,) = client.search(text="number 1", filter={"n": "1"})
    assert (found.record.tags, found.record.metadata, found.verdict) == (("t", "u"), {"n": 1}, "text")


def test_several_pictures_are_asked_about_at_once_each_with_its_error(client):
    client.add(photo_jpeg(0), id="a")
    found, missing, broken = client.search_many([photo_jpeg(0), "id:b", b"no picture"])
    assert found[0].record.id == "a"
    assert isinstance(missing, RecordNotFound)
    assert isinstance(broken, NotAnImage)


def test_two_pictures_are_compared(client):
    told = client.compare(photo_jpeg(0), attack(photo_jpeg(0), "flip"))
    assert (told.verdict, told.same_bytes) == ("copy", False)
    assert told.proof.transformation.mirrored
    assert client.compare(photo_jpeg(0), photo_jpeg(1)).verdict == "different"


def test_stored_images_are_read_listed_counted_and_forgotten(client):
    stored = client.add(photo_jpeg(0), id="a/ü", collection="one", title="T", source="https://example.org/x")
    assert (stored.status, stored.collection, stored.job) == ("added", "one", None)
    client.add(photo_jpeg(1), collection="one")
    client.add(photo_jpeg(0), id="a/ü", collection="two")
    with pytest.raises(AmbiguousId):
        client.get("a/ü")
    image = client.get("a/ü", collection="one")
    assert (image.title, image.source, image.format) == ("T", "https://example.org/x", "JPEG")
    assert image.added_at.tzinfo
    assert client.thumbnail("a/ü", collection="one")[:2] == b"\xff\xd8"
    assert client.collections() == {"one": 2, "two": 1}
    assert (client.count(), client.count(collection="one"), client.count(collection="none")) == (3, 2, 0)
    assert [each.collection for each in client.images()] == ["one", "one", "two"]
    assert [each.id for each in client.images(filter={"id": "a/ü"}, collections=["two"])] == ["a/ü"]
    assert client.remove("a/ü", "nobody", collection="two") == 1
    assert client.remove("a/ü", "nobody", collection="one") == 1
    assert client.remove(collection="one") == 1
    assert client.remove(collection="one") == 0
    assert client.count() == 0


def test_errors_have_the_classes_of_the_embedded_object(api, client, tmp_path):
    with pytest.raises(BrokenImage):
        client.search(photo_jpeg()[:900])
    with pytest.raises(SourceNotFound):
        client.search(tmp_path / "nothing.jpg")
    with pytest.raises(SourceNotAllowed):
        client.search("http://127.0.0.1/x.jpg")
    with pytest.raises(RecordNotFound):
        client.get("nobody")
    with pytest.raises(InvalidRequest, match="limit") as raised:
        client.search(photo_jpeg(), limit=1000)
    assert "request id of the server" in raised.value.__notes__[0]
    with pytest.raises(JobNotFound):
        client.job("nobody")
    with pytest.raises(ApiError), facsimile.Client(f"{api.url}/nowhere") as lost:
        lost.collections()
    with pytest.raises(InvalidRequest):
        facsimile.Client("localhost:8000")


def test_problems_of_the_server_are_known_by_their_names():
    named = {kind.name: error for error, kind in problems.PROBLEM_TYPES.items()}
    for name, error in KNOWN.items():
        assert issubclass(error, named[name]), name


def test_a_key_opens_its_collections_alone(start):
    api = start(keys=True)
    text = api.key("read", "write", collections=("mine",))["Authorization"].removeprefix("Bearer ")
    api.store(photo_jpeg(0), "x", api.key("admin"), collection="theirs")
    with facsimile.Client(api.url) as stranger, pytest.raises(AuthError):
        stranger.count()
    with facsimile.Client(api.url, text) as tenant:
        assert tenant.count() == 0
        assert tenant.add(photo_jpeg(0)).collection == "mine"
        assert [match.record.collection for match in tenant.search(photo_jpeg(0))] == ["mine"]
        with pytest.raises(AuthError):
            tenant.add(photo_jpeg(0), collection="theirs")
        assert tenant.remove(collection="mine") == 1


class Flaky:
    """Before an application: the first requests fail, some of them after the application has answered."""

    def __init__(self, app: Any, *faults: str) -> None:
        self._app = app
        self._faults = list(faults)
        self._lock = threading.Lock()
        self.seen: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._lock:
            self.seen.append((scope["method"], dict(scope["headers"]).get(b"idempotency-key", b"").decode()))
            fault = self._faults.pop(0) if self._faults else ""
        if fault == "lost":  # done, but nobody hears of it

            async def silent(message: Any) -> None:
                pass

            await self._app(scope, receive, silent)
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
        if fault.isdecimal():
            wait = b"90" if fault == "999" else b"0"
            headers = [(b"content-type", b"application/problem+json"), (b"retry-after", wait)]
            status = 503 if fault == "999" else int(fault)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps({"title": "Busy"}).encode()})
        elif not fault:
            await self._app(scope, receive, send)


@pytest.fixture
def flaky(api):
    threads = []

    def begin(*faults: str) -> tuple[facsimile.Client, Flaky]:
        before = Flaky(api.app, *faults)
        threads.append(Thread(before))
        return facsimile.Client(f"http://127.0.0.1:{threads[-1].port}", retry_timeout=20), before

    yield begin
    for thread in threads:
        thread.stop()


def test_a_busy_server_is_asked_again_and_a_write_is_done_once(flaky):
    client, server = flaky("503", "429", "lost", "")
    with client:
        assert client.add(photo_jpeg(0), id="a").status == "added"
        assert client.count() == 1
    keys = {key for method, key in server.seen if method == "POST"}
    assert len(keys) == 1
    assert all(keys)
    assert [method for method, _ in server.seen].count("POST") == 4


def test_patience_ends_before_a_wait_that_is_too_long(flaky):
    client, server = flaky("999")
    with client, pytest.raises(ServerBusy, match="Busy"):
        client.count()
    assert len(server.seen) == 1


def test_a_whole_collection_is_not_forgotten_twice(flaky):
    client, server = flaky("", "lost")
    with client:
        client.add(photo_jpeg(0), collection="c")
        with pytest.raises(ServerUnreachable):
            client.remove(collection="c")
    assert [method for method, _ in server.seen] == ["POST", "DELETE"]


def test_an_absent_server_is_named(tmp_path):
    with (
        facsimile.Client("http://127.0.0.1:9", retry_timeout=0.5) as client,
        pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:9"),
    ):
        client.ingest(write(tmp_path))


def write(folder):
    (folder / "a.jpg").write_bytes(photo_jpeg())
    return folder
