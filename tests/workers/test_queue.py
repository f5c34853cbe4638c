"""The queue as a user meets it: jobs, dead letters, messages of other services, interruptions."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import redis
from elasticsearch import Elasticsearch

from facsimile.search.index.elastic.index import ElasticIndex
from tests.support.queue_site import PICTURES, Site
from tests.support.waiting import wait_until


def push(site: Site, *messages: object) -> None:
    with redis.Redis.from_url(site.broker) as client:
        client.rpush(
            "facsimile:intake",
            *(each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages),
        )


def test_messages_of_other_services(site: Site, pictures: Path) -> None:
    site.shell.json("index", "create")
    first, second, third = sorted(pictures.iterdir())[:3]
    inline = {"version": 1, "id": "inline", "data": base64.b64encode(first.read_bytes()).decode()}
    push(site, inline, b"{", {"version": 7}, {"version": 1, "source": str(second), "id": "file"})
    site.worker()
    found = site.until("intake", lambda job: job["accepted"] == 4 and not job["pending"])
    assert (found["state"], found["added"], found["failed"]) == ("open", 1, 3)
    letters = site.shell("letters", "--job", "intake", "--json").lines
    assert sorted(letter["error"] for letter in letters) == [
        "MessageError",
        "MessageError",
        "SourceNotAllowed",
    ]
    site.shown()
    assert site.shell.json("search", third, "--json")["matches"] == []
    assert site.shell.json("search", first)["matches"][0]["id"] == "inline"


def test_secrets_of_addresses_are_not_shown(site: Site) -> None:
    site.shell.json("index", "create")
    secret = "hunter2secret"
    push(
        site,
        {"version": 1, "source": f"http://user:{secret}@127.0.0.1/a.jpg"},
        {"version": 1, "source": f"ftp://user:{secret}@127.0.0.1/a.jpg?sig={secret}"},
        f"no JSON http://user:{secret}@127.0.0.1/a.jpg".encode(),
    )
    site.worker(program="")
    site.until("intake", lambda job: job["accepted"] == 3 and not job["pending"])
    shown = [site.shell("letters"), site.shell("letters", "--json"), site.shell("jobs", "--json")]
    assert len(shown[1].lines) == 3
    assert secret not in "".join(done.out + done.err for done in shown) + site.logs()


def test_files_in_messages_where_they_are_allowed(site: Site, pictures: Path) -> None:
    site.shell.json("index", "create")
    site.shell = site.shell.having(FACSIMILE_QUEUE_ALLOW_LOCAL_FILES="true")
    push(site, *({"version": 1, "source": str(path)} for path in sorted(pictures.iterdir())[:100]))
    site.worker()
    found = site.until("intake", lambda job: job["accepted"] == 100 and not job["pending"])
    site.shown()
    assert found["added"] == site.shell.count == 100


def test_what_a_finished_job_wrote_is_found(site: Site, pictures: Path) -> None:
    site.shell.json("index", "create")
    if isinstance(index := site.opened.index, ElasticIndex):
        with Elasticsearch(site.index.rpartition("/")[0]) as client:
            client.indices.put_settings(index=index.info().physical, settings={"refresh_interval": "-1"})
    site.worker()
    site.nothing_is_lost(site.hand_over(pictures), PICTURES)


def test_retry_what_failed(site: Site, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    files = sorted(pictures.iterdir())[:5]
    for path in files:
        shutil.copy(path, folder)
    broken = folder / files[0].name
    broken.write_bytes(b"no picture")
    site.worker()
    job = site.hand_over(folder)
    site.nothing_is_lost(job, 5, failed=1)
    assert site.shell("job", job).code == 1
    (letter,) = site.shell("letters", "--json").lines
    assert (letter["source"], letter["job"]) == (str(broken), job)

    assert site.shell("job", job, "--retry-failed", "--watch").code == 1  # it fails again
    site.nothing_is_lost(job, 5, failed=1)

    shutil.copy(files[0], broken)
    assert site.shell("letters", letter["letter"], "--retry").code in (0, 1)
    assert site.shell("job", job, "--retry-failed", "--watch").code == 0
    found = site.nothing_is_lost(job, 5)
    assert (found["state"], found["added"]) == ("finished", 5)

    assert site.shell("job", job, "--forget").code == 0
    assert site.shell("jobs", "--json").lines == []
    assert site.shell("job", job).code == 2


def test_an_interrupted_producer_goes_on(site: Site, pictures: Path) -> None:
    site.shell = site.shell.having(FACSIMILE_QUEUE_LIMIT="1")
    process = site.shell.start("ingest", "--queue", "--job", "mine", pictures, "--json")
    wait_until(lambda: site.shell("jobs", "--json").lines, "the first chunk of the job")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    site.shell = site.shell.having(FACSIMILE_QUEUE_LIMIT="500")
    site.worker()
    told = site.shell.json("ingest", "--queue", "--job", "mine", pictures)
    assert (told["job"], told["accepted"]) == ("mine", PICTURES)
    assert site.nothing_is_lost("mine", PICTURES)["added"] == PICTURES
    done = site.shell("ingest", "--queue", "--job", "mine", pictures)
    assert (done.code, done.complaint) == (
        2,
        "job mine takes no more images: it was closed, finished or cancelled",
    )


def test_sources_that_fail_before_any_worker_are_listed(site: Site, pictures: Path, tmp_path: Path) -> None:
    rows = tmp_path / "list.jsonl"
    good = [json.dumps({"source": str(path)}) for path in sorted(pictures.iterdir())[:3]]
    rows.write_text("\n".join([*good, "{", json.dumps({"source": "gone.jpg"})]))
    site.worker()
    job = site.hand_over(rows)
    site.nothing_is_lost(job, 5, failed=2)


def test_without_redis_nothing_is_accepted(site: Site, pictures: Path) -> None:
    shell = site.shell.having(FACSIMILE_BROKER_URL="redis://:secret@127.0.0.1:9/0")
    done = shell("ingest", "--queue", pictures)
    assert done.code == 3
    assert done.complaint.startswith("cannot use Redis at redis://***@127.0.0.1:9/0")
    assert site.shell("jobs", "--json").lines == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("job", "nothing"), "there is no job nothing"),
        (("ingest", "--queue", "--job", "a/b", "."), "'a/b' is not a valid id of a job"),
        (("ingest", "--job", "a", "."), "--job needs --queue"),
        (("worker", "--queues", "live,else"), "there is no queue 'else'"),
        (("letters", "--drop"), "give the letters to delete, or a --job"),
    ],
)
def test_usage(site: Site, options: tuple[str, ...], sentence: str) -> None:
    site.shell.json("index", "create")
    done = site.shell(*options)
    assert done.code == 2
    assert done.complaint.startswith(sentence)
