"""Which images a web page shows, and the words beside them: `img`, `picture`, lazily loaded ones, `og:image`,
backgrounds in style attributes.

lxml reads the page: linear in its size, without network, and it stops where elements are nested deeper than
256, as only pages do that mean harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from facsimile.ingest.errors import ArchiveError
from facsimile.ingest.open_source import is_web

if TYPE_CHECKING:
    from lxml.etree import _Element

#: bytes of a page that are read, and images of one that are listed
MAX_PAGE_BYTES = 10_000_000
MAX_IMAGES = 10_000

#: characters of a title or a caption that are kept
MAX_WORDS = 1000

#: attributes that hold an address, also those that scripts load later, and those that hold several
_ADDRESSES = ("src", "data-src", "data-original", "data-lazy-src", "poster")
_LISTS = ("srcset", "data-srcset", "data-lazy-srcset")

_META = frozenset({"og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src"})

#: an address of a `srcset` with its width or density; addresses may hold commas
_CANDIDATE = re.compile(r"\s*([^\s,]\S*[^\s,])(?:\s+[^,]*)?(?:,|$)")

_BACKGROUND = re.compile(r"url\(\s*[\"']?([^\"')]+)[\"']?\s*\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image of a page: its address without a fragment, and its caption or alternative text."""

    url: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class PageImages:
    """The title of a page, and its images, each address once."""

    title: str
    images: tuple[ShownImage, ...]


def page_images(data: bytes, url: str, *, charset: str | None = None) -> PageImages:
    """The images of an HTML page at this address; `charset` is that of its HTTP header.

    Whatever the bytes are, they are read as far as they make sense. Raises ArchiveError without lxml.
    """
    try:
        from lxml import etree
    except ImportError as error:
        raise ArchiveError("reading web pages needs lxml: pip install 'facsimile[crawl]'") from error
    data = data[:MAX_PAGE_BYTES]
    try:
        parser = etree.HTMLParser(
            encoding=charset, recover=True, no_network=True, remove_comments=True, remove_pis=True
        )
    except LookupError:  # a character set that nobody knows
        parser = etree.HTMLParser(recover=True, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(data, parser) if data.strip() else None
    except (etree.LxmlError, ValueError):
        root = None
    if root is None:
        return PageImages("", ())
    base = _base(root, url)
    found: dict[str, str] = {}
    for address, text in _addresses(root):
        absolute = _absolute(base, address)
        if absolute and not found.get(absolute):
            found[absolute] = text
        if len(found) >= MAX_IMAGES:
            break
    title = next(root.iter("title"), None)
    words = "" if title is None else _words("".join(map(str, title.itertext())))
    return PageImages(words, tuple(ShownImage(address, text) for address, text in found.items()))


def _base(root: _Element, url: str) -> str:
    element = next(root.iter("base"), None)
    href = "" if element is None else element.get("href") or ""
    return _absolute(url, href) or url


def _addresses(root: _Element) -> Iterator[tuple[str, str]]:
    """Each address with the words beside it, as they stand in the page."""
    for element in root.iter():
        tag = element.tag
        if tag in ("img", "source", "video", "input"):
            text = _text(element)
            for name in _ADDRESSES:
                if tag != "source" and (value := element.get(name)):
                    yield value, text
            for name in _LISTS:
                for match in _CANDIDATE.finditer(element.get(name) or ""):
                    yield match[1], text
        elif tag == "meta":
            if (element.get("property") or element.get("name") or "").lower() in _META:
                yield element.get("content") or "", ""
        elif tag == "link" and (element.get("rel") or "").lower() == "image_src":
            yield element.get("href") or "", ""
        if style := element.get("style"):
            for match in _BACKGROUND.finditer(style):
                yield match[1], ""


def _text(element: _Element) -> str:
    """The caption of the figure that an image is in, else its alternative text, else its title."""
    for around in element.iterancestors("figure"):
        caption = next(around.iter("figcaption"), None)
        if caption is not None and (words := _words(" ".join(map(str, caption.itertext())))):
            return words
    return _words(element.get("alt") or element.get("title") or "")


def _words(text: str) -> str:
    return " ".join(text[: 10 * MAX_WORDS].split())[:MAX_WORDS]


def _absolute(base: str, address: str) -> str:
    """The whole address without its fragment; empty for what is none of the web."""
    try:
        whole = urldefrag(urljoin(base, address.strip())).url
    except ValueError:
        return ""
    return whole if is_web(whole) else ""
