"""Passwords and signatures in the addresses of images: never stored with a record, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pictures import synthetic
from tests.support.shell import Done, Shell
from tests.support.web_server import Web

pytestmark = pytest.mark.slow


SECRET = "hunter2secret"


def clean(done: Done) -> Done:
    assert SECRET not in done.out + done.err
    return done


def test_no_command_shows_or_keeps_a_secret_of_an_address(facsimile: Shell, web: Web, tmp_path: Path) -> None:
    shell = facsimile.having(FACSIMILE_FETCH_ALLOW_PRIVATE="true", FACSIMILE_FETCH_TIMEOUT="5")
    web.serve("/good.jpg", synthetic(1))
    good = f"{web.url('/good.jpg')}?size=2&X-Amz-Signature={SECRET}"
    bad = [
        f"{web.url('/gone.jpg')}?sig={SECRET}",
        f"http://user:{SECRET}@127.0.0.1:{web.port}/good.jpg",
        f"ftp://user:{SECRET}@127.0.0.1:1/a.jpg",
        f"nowhere://user:{SECRET}@127.0.0.1/a.jpg",
    ]
    manifest, failures = tmp_path / "list.txt", tmp_path / "failures.jsonl"
    manifest.write_text("\n".join([good, *bad]))
    first = clean(shell("ingest", manifest, "--failures", failures, "--json"))
    assert (first.code, first.lines[-1]["added"], first.lines[-1]["failed"]) == (1, 1, 4)
    assert SECRET not in failures.read_text()
    again = clean(shell("ingest", manifest))
    assert "1 unchanged" in again.out + again.err
    for url in [good, *bad]:
        found = clean(shell("search", url, "--json"))
        assert found.code == (0 if url == good else 1) or "://" in url
    (match,) = clean(shell("search", good, "--json")).lines[0]["matches"]
    assert match["source"].startswith(web.url("/good.jpg?size=2&X-Amz-Signature=***"))
    clean(shell("compare", good, bad[1]))
    exported = tmp_path / "export.jsonl"
    clean(shell("export", exported))
    assert SECRET not in exported.read_text()
    if "://" not in shell.index:
        assert not any(
            SECRET.encode() in path.read_bytes() for path in Path(shell.index).rglob("*") if path.is_file()
        )


def test_an_address_with_a_secret_is_followed_like_any_other(facsimile: Shell, web: Web) -> None:
    shell = facsimile.having(FACSIMILE_FETCH_ALLOW_PRIVATE="true", FACSIMILE_FETCH_TIMEOUT="5")
    web.serve("/a.jpg", synthetic(1))
    url = f"{web.url('/a.jpg')}?token={SECRET}"

    def counts(*options: str) -> tuple[int, int, int, int]:
        last = clean(shell("ingest", url, "--json", *options)).lines[-1]
        return last["added"], last["updated"], last["unchanged"], last["changed"]

    assert counts() == (1, 0, 0, 0)
    assert counts() == counts("--recheck") == (0, 0, 1, 0)
    web.serve("/a.jpg", synthetic(2))
    assert counts("--recheck") == (1, 0, 0, 1)
