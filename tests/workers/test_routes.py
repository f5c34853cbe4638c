"""Images sent to the API are stored by workers, and the API tells how far they are."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.workers.conftest import PATIENCE, Site


@pytest.fixture
def api(site: Site) -> Iterator[httpx.Client]:
    """The API over the site's index, with its queue."""
    site.shell.json("index", "create")
    shell = site.shell.having(FACSIMILE_API_QUEUE="true")
    process = shell.start("serve", "--port", "0")
    line = process.stderr.readline().decode()  # type: ignore[union-attr]
    address = re.search(r"at (http://\S+)", line)
    assert address, line
    with httpx.Client(base_url=address[1], timeout=30) as client:
        wait_for(client)
        yield client
    process.terminate()
    process.communicate()


def wait_for(client: httpx.Client) -> None:
    """The address is told before the server listens."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            client.get("/healthz")
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return


def found_within_a_second(client: httpx.Client, url: str) -> None:
    """As the index promises; a test waits longer."""
    deadline = time.monotonic() + PATIENCE
    while client.get(url).status_code == 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ended(client: httpx.Client, url: str, headers: dict[str, str] | None = None) -> Any:
    deadline = time.monotonic() + PATIENCE
    while True:
        job = client.get(url, headers=headers or {}).json()
        if not job["pending"]:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)


def test_an_upload_is_stored_by_a_worker(site: Site, api: httpx.Client, pictures: Path) -> None:
    site.worker()
    first, second = (path.read_bytes() for path in sorted(pictures.iterdir())[:2])
    answer = api.post("/v1/images", files={"image": first}, data={"id": "one"})
    assert answer.status_code == 202, answer.text
    url = answer.json()["status_url"]
    assert answer.headers["location"] == url
    job = ended(api, url)
    assert (job["accepted"], job["added"], job["failed"]) == (1, 1, 0)
    found_within_a_second(api, "/v1/images/one")

    waited = api.post("/v1/images?wait=true", files={"image": second}, data={"id": "two"})
    assert waited.status_code == 201

    listed = api.get("/v1/jobs").json()["jobs"]
    assert [each["job"] for each in listed] == [job["job"]]


def test_what_no_worker_can_read_is_counted_as_failed(site: Site, api: httpx.Client) -> None:
    site.worker()
    answer = api.post("/v1/images", files={"image": b"no picture"}, data={"id": "one"})
    assert ended(api, answer.json()["status_url"])["failed"] == 1
    assert api.get("/v1/images/one").status_code == 404


def test_cancel(api: httpx.Client, pictures: Path) -> None:
    answer = api.post("/v1/images", files={"image": next(pictures.iterdir()).read_bytes()})
    url = answer.json()["status_url"]
    assert api.post(f"{url}/cancel").json()["state"] == "cancelled"
    again = api.post(f"{url}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "urn:facsimile:job-closed")
    missing = api.get("/v1/jobs/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:facsimile:job-missing")
