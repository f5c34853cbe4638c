"""The page for eyes that need contrast, for screen readers, and for those whom motion makes ill."""

from __future__ import annotations

import pytest

from tests.facsimile.api.test_web import MATCHES, filled, mirrored

__all__ = ["filled", "mirrored"]

#: Each text that is seen, with its contrast and how much it needs, by the formula of WCAG 2.2.
CONTRASTS = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const parsed = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parsed(getComputedStyle(each).backgroundColor);
      if (color[3] === 255) return color;
    }
    return parsed(matchMedia('(prefers-color-scheme: dark)').matches ? '#121212' : '#ffffff');
  };
  const seen = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim().slice(0, 40);
    if (!text || !element.checkVisibility() || element.closest('noscript')) continue;
    const style = getComputedStyle(element);
    const pair = [luminance(parsed(style.color)), luminance(behind(element))].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24;
    seen.push([text, (pair[0] + 0.05) / (pair[1] + 0.05), large ? 3 : 4.5]);
  }
  for (const field of document.querySelectorAll('input:not([type=range], .unseen), select, textarea')) {
    if (!field.checkVisibility()) continue;
    const border = luminance(parsed(getComputedStyle(field).borderTopColor));
    const pair = [border, luminance(behind(field.parentElement))].sort((a, b) => b - a);
    if (!['radio', 'checkbox'].includes(field.type))
      seen.push([`border of ${field.id}`, (pair[0] + 0.05) / (pair[1] + 0.05), 3]);
  }
  return seen;
})()
"""

#: what a screen reader announces, and so needs a name
NAMED = {
    "button", "checkbox", "combobox", "dialog", "form", "heading", "image", "link", "list", "navigation",
    "progressbar", "radio", "searchbox", "slider", "spinbutton", "textbox",
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast_in_both_themes(filled, visit, mirrored, scheme):
    page = visit(filled.url)
    page.prefer(scheme=scheme, motion="reduce")
    dark = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 26)"
    assert dark is (scheme == "dark")
    seen = page.run(CONTRASTS)
    page.click("summary")
    page.choose("#search-file", mirrored)
    page.until(MATCHES)
    seen += page.run(CONTRASTS)
    page.fill("#search-filter", "nonsense")
    page.click("#search-form button.main")
    page.until("!document.querySelector('#error').hidden")
    seen += page.run(CONTRASTS)
    page.click("nav [href='#browse']")
    page.until("document.querySelectorAll('#stored li').length")
    seen += page.run(CONTRASTS)
    page.click("nav [href='#upload']")
    page.run("document.querySelector('#key-dialog').showModal()")
    seen += page.run(CONTRASTS)
    assert len(seen) > 100
    assert [each for each in seen if each[1] < each[2]] == []


@pytest.mark.parametrize("part", ["search", "browse", "upload"])
def test_a_screen_reader_has_landmarks_and_names_for_everything(filled, visit, mirrored, part):
    page = visit(f"{filled.url}/#{part}")
    if part == "search":
        page.click("summary")
        page.choose("#search-file", mirrored)
        page.until(MATCHES)
    if part == "browse":
        page.until("document.querySelectorAll('#stored li').length")
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in page.accessibility_tree()
        if not node["ignored"]
    ]
    roles = [role for role, _ in nodes]
    assert {"banner", "navigation", "main", "status"} <= set(roles)
    assert page.run("[...document.querySelectorAll('h1')].filter((one) => one.checkVisibility()).length") == 1
    assert page.run("document.documentElement.lang") == "en"
    nameless = [role for role, name in nodes if role in NAMED and not name]
    assert nameless == []
    if part == "search":
        names = {name for role, name in nodes if role in ("image", "article")}
        assert "Your picture, the matching area outlined: Mirrored" in " | ".join(names)
        assert any(name.startswith("Copy An astronaut") for name in names)
    assert page.run("document.querySelectorAll('[id]').length === new Set("
                    "[...document.querySelectorAll('[id]')].map((one) => one.id)).size")  # fmt: skip


def test_whom_motion_makes_ill_sees_none(filled, visit):
    page = visit(filled.url)
    moving = (
        "[...document.querySelectorAll('*')]"
        ".filter((one) => parseFloat(getComputedStyle(one).transitionDuration)).length"
    )
    page.prefer(motion="no-preference")
    assert page.run(moving) > 0
    page.prefer(motion="reduce")
    assert page.run(moving) == 0
