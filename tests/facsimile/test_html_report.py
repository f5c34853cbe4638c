"""The pages of `search --html` and `duplicates --html`, opened in a browser where there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.browser import Open
from tests.support.html import Elements
from tests.support.shell import Shell

EVIL = "<script>document.title='owned'</script>&.png"


@pytest.fixture(params=["search", "duplicates"])
def page(request: pytest.FixtureRequest, embedded: Shell, photos: Path) -> Path:
    """A page about a picture with a name that tries to be a program."""
    evil = photos / "deep" / EVIL.replace("/", "\u2215")
    evil.parent.mkdir()
    shutil.copy(photos / "coffee.png", evil)
    embedded.json("ingest", photos)
    question = [evil] if request.param == "search" else []
    done = embedded(request.param, *question, "--html", "page.html")
    assert done.code == 0
    return embedded.folder / "page.html"


def test_a_page_is_one_file_with_pictures_and_takes_names_as_text(page: Path) -> None:
    found = Elements(page.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in found.elements]
    assert "script" not in tags
    assert "link" not in tags
    sources = [values["src"] or "" for tag, values in found.elements if tag == "img"]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert all(values.get("alt") for tag, values in found.elements if tag == "img")
    assert "<script>" in found.text


def test_a_browser_shows_the_page_and_runs_nothing_in_it(page: Path, visit: Open) -> None:
    shown = visit(page.as_uri())
    assert shown.run("document.title") in ("Copies found", "Duplicates")
    assert shown.run("[...document.images].every((one) => one.src.startsWith('data:image/jpeg'))")
    assert all(each.startswith(("file:", "data:")) for each in shown.requested)
