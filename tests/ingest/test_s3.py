"""Images in S3, on a real server: the command line, the library and workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pictures import photo_jpeg, synthetic
from tests.support.process import ServiceUnavailable
from tests.support.queue_site import Site
from tests.support.s3_server import KEY, S3Server
from tests.support.services import unavailable
from tests.support.shell import Shell

pytestmark = [pytest.mark.slow, pytest.mark.service]

pytest.importorskip("s3fs", reason="the extra s3 is not installed")
pytest.importorskip("moto.server", reason="moto is not installed")


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    """A server with a bucket of three photographs in two folders, and files that are no images."""
    server = S3Server(tmp_path / "s3")
    try:
        server.start()
    except ServiceUnavailable as reason:
        unavailable(str(reason))
    try:
        _fill(server)
        yield server
    finally:
        server.stop()


def _fill(server: S3Server) -> None:
    photos = {f"cats/{number}.jpg": photo_jpeg(number) for number in range(2)}
    others = {".hidden.jpg": photo_jpeg(4), "notes.txt": b"no image", "cats/.thumbs/1.jpg": photo_jpeg(5)}
    server.store("photos", **photos, **{"two words & ü.jpg": photo_jpeg(2)}, **others)


@pytest.fixture
def shell(s3: S3Server, tmp_path: Path) -> Shell:
    return Shell(tmp_path, str(tmp_path / "index"), **s3.environment)


def test_a_bucket_is_ingested_and_searched(s3: S3Server, shell: Shell) -> None:
    assert shell.json("ingest", "s3://photos")["added"] == 3
    assert shell.json("ingest", "s3://photos")["unchanged"] == 3
    (match,) = shell.json("search", "s3://photos/two words & ü.jpg")["matches"]
    assert (match["verdict"], match["source"]) == ("identical", "s3://photos/two words & ü.jpg")


def test_an_object_that_changes(s3: S3Server, shell: Shell) -> None:
    shell.json("ingest", "s3://photos/cats")
    s3.store("photos", **{"cats/1.jpg": synthetic(1), "cats/2.jpg": synthetic(2)})
    tally = shell.json("ingest", "s3://photos/cats", "--recheck")
    assert (tally["added"], tally["unchanged"], tally["changed"]) == (2, 1, 1)


def test_an_archive_in_a_bucket(s3: S3Server, shell: Shell, tmp_path: Path) -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/0.jpg", photo_jpeg(0))
    s3.store("photos", **{"all.zip": packed.getvalue()})
    assert shell.json("ingest", "s3://photos/all.zip")["added"] == 1


def test_what_is_not_there(s3: S3Server, shell: Shell) -> None:
    for place in ("s3://photos/missing.jpg", "s3://missing", "s3://photos/nothing/"):
        done = shell("ingest", place)
        assert (done.code, done.complaint) == (2, f"there is no {place}")


def test_a_program_without_credentials(s3: S3Server, tmp_path: Path) -> None:
    others = {name: value for name, value in s3.environment.items() if name not in KEY}
    # or botocore would ask the metadata service of a cloud
    shell = Shell(tmp_path, str(tmp_path / "index"), **others, AWS_EC2_METADATA_DISABLED="true")
    done = shell("ingest", "s3://photos")
    assert done.code == 1
    assert "Unable to locate credentials" in done.complaint


def test_a_server_that_is_away(s3: S3Server, shell: Shell) -> None:
    s3.stop()
    done = shell.having(AWS_MAX_ATTEMPTS="1")("ingest", "s3://photos")
    assert done.code == 3
    assert "s3://photos cannot be read at present" in done.complaint


def test_workers_read_a_bucket(s3: S3Server, redis_url: str, tmp_path: Path) -> None:
    site = Site(tmp_path, str(tmp_path / "index"), redis_url)
    site.shell = site.shell.having(**s3.environment)
    try:
        site.worker()
        job = site.hand_over("s3://photos")
        site.nothing_is_lost(job, 3)
    finally:
        site.close()
