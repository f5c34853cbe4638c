"""The review for screen readers, on a phone, in the dark, and for those whose software types letters."""

from __future__ import annotations

import pytest

from tests.facsimile.api.test_web_access import CONTRASTS, NAMED
from tests.facsimile.api.test_web_review import api, at, begun, findings, scanned
from tests.support.api_server import Running
from tests.support.browser import Open

__all__ = ["api", "scanned"]


def test_help_shows_the_keys_and_turns_them_off(api: Running, visit: Open) -> None:
    page = begun(api, visit)
    page.press("?")
    page.until("document.querySelector('#review-help').open")
    page.press("c")
    page.press("Escape")
    page.until("!document.querySelector('#review-help').open")
    page.press("?")
    page.click("#review-letters")
    page.press("Escape")
    page.until("!document.querySelector('#review-help').open")
    page.press("c")
    page.press("j")
    page.click("[aria-keyshortcuts=j]")
    at(page, 2)
    assert [each["state"] for each in findings(api)] == ["open"] * 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_review_has_contrast_names_and_announcements(api: Running, visit: Open, scheme: str) -> None:
    page = begun(api, visit)
    page.prefer(scheme=scheme, motion="reduce")
    page.click("#finding summary")
    page.press("c")
    at(page, 2)
    page.press("k")
    at(page, 1)
    seen = page.run(CONTRASTS)
    page.press("?")
    seen += page.run(CONTRASTS)
    assert len(seen) > 60
    assert [each for each in seen if each[1] < each[2]] == []
    page.press("Escape")
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in page.accessibility_tree()
        if not node["ignored"]
    ]
    assert [role for role, name in nodes if role in NAMED and not name] == []
    assert ("button", "Confirm") in nodes
    (suspect,) = [name for role, name in nodes if role == "image" and name.startswith("Suspect: ")]
    assert "the matching area outlined: Pasted at" in suspect
    assert page.run("document.querySelector('#review-status').getAttribute('role')") == "status"


def test_review_is_no_wider_than_a_phone(api: Running, visit: Open) -> None:
    page = begun(api, visit, width=360, height=740)
    page.click("#finding summary")
    for place in range(1, 6):
        at(page, place)
        assert page.run("document.documentElement.scrollWidth") <= 360
        page.press("j")
    within = page.run(
        "[...document.querySelectorAll('#review-bar button')].every((one) => {"
        " const box = one.getBoundingClientRect();"
        " return box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight })"
    )
    assert within, "every button is within reach of a thumb"
