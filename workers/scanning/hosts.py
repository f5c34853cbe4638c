"""Normalised names of hosts: lower case, punycode, no final dot."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

from facsimile.search.errors import InvalidRequest

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")

#: full stops of other scripts, which separate labels as well
_STOPS = str.maketrans("。｡", "..")

_PORTS = {"http": 80, "https": 443}


def host_key(host: str) -> str:
    """The form in which hosts are compared, of any text."""
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            return host.lower()
    name = unicodedata.normalize("NFKC", host.translate(_STOPS)).lower().strip(".")
    return ".".join(map(_ascii, name.split(".")))


def parse_site(text: str) -> str:
    """The host of a site in the form of `host_key`; the scheme of an address is ignored.

    Raises InvalidRequest for what no host can match, and for parts of a host: a port or a path.
    """
    site = text.strip()
    less = f"a site is a host with all its ports and pages, not {text!r}: use a source such as"
    try:
        parts = urlsplit(site if "://" in site else f"//{site}")
        port = parts.port
    except ValueError:
        raise InvalidRequest(f"{text!r} is not a host such as partner.example") from None
    host = parts.hostname or ""
    if port is not None and port != _PORTS.get(parts.scheme):
        raise InvalidRequest(f"{less} {_scheme(parts)}://{host}:{port}/*")
    if parts.path.strip("/*") or parts.query or parts.fragment:
        raise InvalidRequest(f"{less} {_scheme(parts)}://{host}{parts.path.rstrip('/*')}/*")
    key = host_key(host.removeprefix("*."))
    if parts.username is not None or not _is_host(key):
        raise InvalidRequest(f"{text!r} is not a host such as partner.example")
    return key


def _scheme(parts: SplitResult) -> str:
    return parts.scheme or "https"


def _ascii(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


def _is_host(key: str) -> bool:
    if ":" in key:
        return True
    return len(key) <= 253 and all(_LABEL.fullmatch(label) for label in key.split("."))
