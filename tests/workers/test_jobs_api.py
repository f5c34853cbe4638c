"""Images sent to the API are stored by workers, and the API tells how far they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from facsimile.search.index.state.base import Ref
from tests.support.pictures import photo_jpeg
from tests.support.queue_site import Site
from tests.support.waiting import wait_until


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
    wait_until(lambda: client.get("/healthz"), "the server", ignore=(httpx.ConnectError,))


def found_within_a_second(client: httpx.Client, url: str) -> None:
    """As the index promises; a test waits longer."""
    wait_until(lambda: client.get(url).status_code != 404, url)


def ended(client: httpx.Client, url: str, headers: dict[str, str] | None = None) -> Any:

    def finished() -> Any:
        job = client.get(url, headers=headers or {}).json()
        return None if job["pending"] else job

    return wait_until(finished, "the end of the job", interval=0.05)


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


def test_why_images_failed_is_told_by_http(site: Site, api: httpx.Client, pictures: Path) -> None:
    site.worker()
    good = next(pictures.iterdir()).read_bytes()
    files = [("image", b"no picture"), ("image", good), ("image", b"nor this")]
    answer = api.post("/v1/images/batch", files=files, data={"collection": "shop"})
    url = answer.json()["status_url"]
    assert ended(api, url)["failed"] == 2
    told = api.get(url).json()["failures"]
    listed = api.get(f"{url}/failures", params={"limit": 1}).json()
    listed["failures"] += api.get(f"{url}/failures", params={"cursor": listed["cursor"]}).json()["failures"]
    assert listed["failures"] == told
    named = {each["id"]: each for each in told}
    assert set(named) == {sha256(data).hexdigest() for data in (files[0][1], files[2][1])}
    failure = named[sha256(b"no picture").hexdigest()]
    assert (failure["name"], failure["collection"]) == (failure["id"], "shop")
    assert failure["error"] == "NotAnImage"
    assert "image" in failure["reason"]
    assert failure["name"] in site.shell("letters").out


def test_what_no_worker_can_read_is_named_by_its_id(site: Site, api: httpx.Client) -> None:
    site.worker()
    answer = api.post("/v1/images", files={"image": b"no picture"}, data={"id": "one"})
    job = ended(api, answer.json()["status_url"])
    assert job["failed"] == 1
    assert [each["name"] for each in job["failures"]] == ["one"]
    assert api.get("/v1/images/one").status_code == 404
    assert api.get("/v1/jobs/nothing/failures").status_code == 404
    both = [site.shell.json("keys", "create", c, "-s", "read", "-c", c)["key"] for c in ("default", "shop")]
    seen = [
        api.get(f"/v1/jobs/{job['job']}/failures", headers={"X-Api-Key": key}).status_code for key in both
    ]
    assert seen == [200, 404]
    assert "/v1/jobs/{job}/failures" in api.get("/openapi.json").json()["paths"]


def a_minute_passes(site: Site, job: str) -> None:
    """Let a job that has ended be a minute older."""
    state = site.opened.index.state
    entry = state.get([Ref("job", job)])[Ref("job", job)]
    earlier = {name: entry.number(name) - 60_000 for name in ("created", "finished")}
    assert state.put([entry.replaced(numbers={**entry.numbers, **earlier})])[0]


def test_a_retry_does_not_change_the_rate_of_a_job(site: Site, api: httpx.Client) -> None:
    jobs = site.opened.queue.jobs
    job = jobs.start()
    for _ in range(2):
        jobs.close(job)
        jobs.fold(job, site.shown)
        assert jobs.get(job).finished
        a_minute_passes(site, job)
        jobs.reopen(job)
    assert jobs.get(job).seconds < 30  # at work, not since the first start


def test_cancel(api: httpx.Client, pictures: Path) -> None:
    answer = api.post("/v1/images", files={"image": next(pictures.iterdir()).read_bytes()})
    url = answer.json()["status_url"]
    assert api.post(f"{url}/cancel").json()["state"] == "cancelled"
    again = api.post(f"{url}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "urn:facsimile:job-closed")
    missing = api.get("/v1/jobs/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:facsimile:job-missing")


def test_failed_images_are_retried(site: Site, api: httpx.Client, tmp_path: Path) -> None:
    """After what was missing has been made good; a job in another state is not listed."""
    missing = tmp_path / "late.jpg"
    listed = tmp_path / "list.txt"
    listed.write_text(str(missing))
    site.worker()
    job = site.hand_over(listed)
    ended(api, f"/v1/jobs/{job}")
    (failure,) = api.get(f"/v1/jobs/{job}/failures").json()["failures"]
    assert failure["error"] == "SourceNotFound"
    assert [each["job"] for each in api.get("/v1/jobs?state=closed").json()["jobs"]] == [job]
    assert api.get("/v1/jobs?state=open").json()["jobs"] == []

    missing.write_bytes(photo_jpeg())
    assert api.post(f"/v1/jobs/{job}/retry").json() == {"retried": 1}
    wait_until(lambda: api.get(f"/v1/jobs/{job}").json()["added"] == 1, "the retried image")
    assert api.get(f"/v1/jobs/{job}/failures").json()["failures"] == []
    assert api.post("/v1/jobs/none/retry").status_code == 404
