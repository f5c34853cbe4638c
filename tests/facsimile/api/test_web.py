"""The page as people use it, in a real browser."""

from __future__ import annotations

import json

import httpx
import pytest

from facsimile.search.evaluation.attacks import attack
from facsimile.search.index.state.base import Ref
from facsimile.workers.ledger.jobs import Jobs
from tests.support.api_server import Running
from tests.support.browser import Page
from tests.support.pictures import photo_jpeg

MATCHES = "document.querySelectorAll('#matches article').length"
EVIL = "<img src=x onerror=\"document.title='broken into'\">"


@pytest.fixture
def filled(api: Running) -> Running:
    """A server with three pictures in two collections."""
    api.store(photo_jpeg(0, 400), "astronaut", title="An astronaut", source="https://example.org/a.jpg")
    api.store(photo_jpeg(1, 400), "cat", title="A cat", tags="pet", metadata='{"year": "2020"}')
    api.store(
        photo_jpeg(2, 400), "coffee", title="Coffee", collection="kitchen", source="javascript:alert(1)"
    )
    api.service.index.refresh()
    return api


@pytest.fixture
def mirrored(tmp_path):
    """A file with a mirrored copy of the first picture."""
    file = tmp_path / "suspect.jpg"
    file.write_bytes(attack(photo_jpeg(0, 400), "flip"))
    return file


def first(page: Page) -> str:
    page.until(MATCHES)
    return page.text("#matches article")


def test_an_edited_copy_of_a_file_is_found_with_its_area_on_both_pictures(filled, visit, mirrored):
    page = visit(filled.url)
    page.choose("#search-file", mirrored)
    told = first(page)
    assert "Copy An astronaut" in told.replace("\n", " ")
    assert "Mirrored" in told
    assert "1 copy" in page.text("#search-status")
    shown = page.until(
        "(() => { const seen = [...document.querySelectorAll('#matches img')];"
        " return seen.length && seen.every((image) => image.naturalWidth) && seen.length })()"
    )
    assert shown == 2
    areas = page.run(
        "[...document.querySelectorAll('#matches .frame')].map((frame) => {"
        " const area = frame.querySelector('.area').getBoundingClientRect();"
        " const all = frame.getBoundingClientRect();"
        " return [area.width / all.width, area.left >= all.left - 1, area.right <= all.right + 1] })"
    )
    for share, *within in areas:
        assert share > 0.5
        assert within == [True, True]
    assert page.run("document.querySelector('#matches a').href") == "https://example.org/a.jpg"


def test_a_pasted_picture_is_searched_for(filled, visit, browser):
    page = visit(filled.url)
    page.allow_clipboard()
    page.run(
        "fetch('/v1/images/cat/thumbnail').then((answer) => answer.blob()).then(createImageBitmap)"
        ".then((bitmap) => { const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);"
        " canvas.getContext('2d').drawImage(bitmap, 0, 0); return canvas.convertToBlob() })"
        ".then((png) => navigator.clipboard.write([new ClipboardItem({ 'image/png': png })]))"
    )
    page.press("Control+v")
    assert "A cat" in first(page)


def test_a_pasted_link_is_searched_for_and_shown_though_it_is_elsewhere(start, visit, web):
    api = start(settings={"fetch_allow_private": True})
    api.store(photo_jpeg(0), "astronaut", title="An astronaut")
    link = web.serve("/a.jpg", photo_jpeg(0))
    page = visit(api.url)
    page.run(
        "(() => { const data = new DataTransfer(); data.setData('text/plain', " + json.dumps(link) + ");"
        " document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data })) })()"
    )
    assert "Identical" in first(page)
    assert page.run("document.querySelector('#search-link').value") == link
    assert page.until("document.querySelector('#matches img').naturalWidth")


def test_a_dropped_picture_is_searched_for(filled, visit):
    page = visit(filled.url)
    page.run(
        "fetch('/v1/images/coffee/thumbnail').then((answer) => answer.blob()).then((blob) => {"
        " const data = new DataTransfer(); data.items.add(new File([blob], 'x.jpg', { type: blob.type }));"
        " document.querySelector('#search-drop').dispatchEvent("
        "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })) })"
    )
    told = first(page)
    assert "Coffee" in told
    assert "javascript:alert(1)" in told
    assert page.run("document.querySelectorAll('#matches a').length") == 0


def test_words_filters_collections_mode_and_threshold_narrow_an_answer(filled, visit, mirrored):
    page = visit(filled.url)
    page.until("document.querySelectorAll('#search-collections input').length === 2")
    page.fill("#search-text", "cat")
    page.click("#search-form button.main")
    assert "Found by words" in first(page)
    assert page.run("document.querySelectorAll('#matches img').length") == 1
    page.click("summary")
    page.fill("#search-filter", "year=1999")
    page.click("#search-form button.main")
    page.until("document.querySelector('#search-status').textContent === 'No matches found.'")
    page.fill("#search-filter", "year=2020\nyear=1999")
    page.click("#search-form button.main")
    assert "A cat" in first(page)
    page.click("#search-collections input[value=kitchen]")
    page.click("#search-form button.main")
    page.until(f"{MATCHES} === 0 && document.querySelector('#search-status').textContent.startsWith('No')")
    page.fill("#search-filter", "nonsense")
    page.click("#search-form button.main")
    page.until("!document.querySelector('#error').hidden")
    assert page.text("#error") == "Write key=value, not “nonsense”."


def test_errors_are_one_sentence(filled, visit, tmp_path):
    file = tmp_path / "broken.jpg"
    file.write_bytes(photo_jpeg()[:900])
    page = visit(filled.url)
    page.choose("#search-file", file)
    page.until("!document.querySelector('#error').hidden")
    told = page.text("#error")
    assert told.startswith("Damaged image")
    assert told.count(". ") == 0
    assert page.run("document.querySelector('#error').getAttribute('role')") == "alert"
    page.fill("#search-link", "http://127.0.0.1/secret.jpg")
    page.click("#search-form button.main")
    page.until("document.querySelector('#error').textContent.includes('URL not allowed')")


def test_everything_can_be_reached_and_done_by_keyboard(filled, visit):
    page = visit(filled.url)
    focused = "document.activeElement.closest('a, button, input, summary, article, select, textarea')"
    page.press("Tab")
    assert page.run(f"{focused}.className") == "skip"
    page.press("Enter")
    page.press("Tab")
    assert page.run(f"{focused}.id") == "search-file"
    page.press("Tab", 2)
    assert page.run(f"{focused}.id") == "search-text"
    page.write("astronaut cat")
    page.press("Enter")
    page.until(f"{MATCHES} === 2")
    page.press("Tab", 3)
    assert page.run(f"{focused}.tagName") == "ARTICLE"
    style = page.run(f"[getComputedStyle({focused}).outlineStyle, getComputedStyle({focused}).outlineWidth]")
    assert style == ["solid", "3px"]
    place = f"[...document.querySelectorAll('#matches article')].indexOf({focused})"
    for key, expected in [("ArrowDown", 1), ("ArrowDown", 1), ("Home", 0), ("End", 1), ("ArrowLeft", 0)]:
        page.press(key)
        assert page.run(place) == expected, key
    page.press("Shift+Tab")
    assert page.run(f"{focused}.textContent") == "Search"


@pytest.mark.parametrize("part", ["search", "browse", "upload"])
def test_nothing_is_wider_than_a_phone(filled, visit, mirrored, part):
    filled.store(photo_jpeg(3), "wide", title="W" * 300, source="x" * 500, collection="c" * 60)
    page = visit(f"{filled.url}/#{part}", width=360, height=740)
    if part == "search":
        page.click("summary")
        page.choose("#search-file", mirrored)
        page.until(MATCHES)
        page.fill("#search-text", "W" * 300)
        page.click("#search-form button.main")
        page.until(f"{MATCHES} === 2")
    if part == "browse":
        page.until("document.querySelectorAll('#stored li').length === 4")
    assert page.run("document.documentElement.scrollWidth") <= 360


def test_browsing_goes_on_by_parts_and_leads_to_a_search(api, visit):
    images = [(f"{number:03}", photo_jpeg(number % 6, 100 + number)) for number in range(30)]
    for id, data in images:
        api.store(data, id, collection="shelf")
    api.store(photo_jpeg(0), "elsewhere")
    page = visit(f"{api.url}/#browse")
    page.until("document.querySelectorAll('#stored li').length === 24")
    page.run("document.querySelector('#browse-collection').value = 'shelf'")
    page.click("#browse-form button.main")
    page.until("!document.querySelector('#stored').textContent.includes('elsewhere')")
    page.click("#browse-more")
    page.until("document.querySelectorAll('#stored li').length === 30")
    assert page.text("#browse-status") == "30 pictures shown."
    assert page.run("document.querySelector('#browse-more').hidden")
    assert "024" in page.run("document.activeElement.textContent")
    page.run("document.activeElement.click()")
    first(page)
    assert page.run("location.hash") == "#search"
    assert page.run("document.querySelector('nav [aria-current]').textContent") == "Search"


def test_what_is_stored_here_is_found_afterwards_and_evil_names_stay_text(api, visit, tmp_path):
    file = tmp_path / f"{EVIL.replace('/', '')}.jpg"
    file.write_bytes(photo_jpeg(0))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    page = visit(f"{api.url}/#upload")
    page.choose("#upload-file", file, broken)
    page.fill("#upload-collection", "new")
    page.fill("#upload-name", EVIL)
    page.fill("#upload-tags", f"{EVIL}, b")
    page.fill("#upload-metadata", f"k={EVIL}")
    page.click("#upload-form button.main")
    page.until("document.querySelector('#upload-status').textContent === '1 picture stored, 1 refused.'")
    assert "Unsupported image format" in page.text("#uploaded .failed")
    (image,) = api.http.get("/v1/images").json()["images"]
    assert (image["title"], image["tags"], image["collection"]) == (EVIL, [EVIL, "b"], "new")
    assert image["metadata"] == {"k": EVIL}
    page.click("nav [href='#search']")
    page.choose("#search-file", file)
    assert EVIL in first(page)
    page.click("nav [href='#browse']")
    page.until("document.querySelectorAll('#stored li').length")
    assert EVIL in page.text("#stored")
    assert page.run("document.querySelectorAll('img[onerror]').length") == 0
    assert page.run("document.title") == "Browse · Facsimile"


def test_a_key_is_asked_for_kept_for_the_tab_and_shows_its_collections_alone(start, visit):
    api = start(keys=True)
    admin = api.key("admin")
    for collection in ("mine", "theirs"):
        api.store(photo_jpeg(0), f"{collection}-1", admin, collection=collection, title=collection)
    text = api.key("read", collections=("mine",))["Authorization"].removeprefix("Bearer ")
    page = visit(f"{api.url}/#browse")
    page.until("document.querySelector('#key-dialog').open")
    page.fill("#key", "fk_wrong")
    page.click("#key-form button.main")
    page.until("!document.querySelector('#key-refused').hidden")
    page.fill("#key", text)
    page.click("#key-form button.main")
    page.until("document.querySelectorAll('#stored li').length === 1")
    assert page.until("document.querySelector('#stored img').naturalWidth")
    assert page.run("sessionStorage.length") == 1
    assert page.run("localStorage.length") == 0
    assert "theirs" not in page.run("document.body.textContent")
    page.click("#stored button")
    page.until("document.querySelector('#search-status').textContent === 'No matches found.'")
    page.click("#forget-key")
    page.until("document.querySelector('#key-dialog')?.open && !sessionStorage.length")


def test_jobs_are_shown_where_there_are_some(start, visit):
    api = start()
    state = api.service.index.state
    id = Jobs(state).start(sources=["photos"])
    ref = Ref("job", id)
    entry = state.get([ref])[ref]
    counts = {"accepted": 1200, "added": 700, "unchanged": 2}
    state.put([entry.replaced(numbers={**entry.numbers, **counts})])
    state.refresh()
    page = visit(api.url)
    page.until("!document.querySelector('nav [href=\"#jobs\"]').hidden")
    page.click("nav [href='#jobs']")
    page.until("document.querySelectorAll('#jobs-list li').length")
    told = page.text("#jobs-list")
    assert f"{id} open" in told
    assert "702 of 1,200 pictures: 700 added, 2 unchanged" in told
    assert page.run("document.querySelector('#jobs progress').value") == 702


def test_without_jobs_there_is_no_word_of_them(filled, visit):
    page = visit(filled.url)
    page.until("document.querySelectorAll('#search-collections input').length")
    assert page.run("document.querySelector('nav [href=\"#jobs\"]').hidden")


def test_the_policy_is_strict_and_files_are_kept_by_their_tag(api):
    page = api.http.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    again = api.http.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    script = api.http.get("/page/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert httpx.URL(api.url).host in str(script.url)
    for name in ("nothing.js", "..%2Fpage.py", "%2e%2e%2fpage.py", "page.py"):
        assert api.http.get(f"/page/{name}").status_code == 404
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")
