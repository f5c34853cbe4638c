"""Names of hosts in one form: small letters, punycode, no final dot."""

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
    """A host as it is compared. It may come in any form, and need not be one."""
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            return host.lower()
    name = unicodedata.normalize("NFKC", host.translate(_STOPS)).lower().strip(".")
    return ".".join(map(_ascii, name.split(".")))


def checked_site(text: str) -> str:
    """The host that a site names, as `host_key` has it; the scheme of an address is left out.

    Raises InvalidRequest for what no host can match, and for what names less than a host: a port or a page.
    """
    site = text.strip()
    less = f"a site is a host with all its ports and pages, not {text!r}: use a source such as"
    try:
        parts = urlsplit(site if "://" in site else f"//{site}")
        port = parts.port
    except ValueError:
        raise InvalidRequest(f"{text!r} is no host, such as partner.example") from None
    host = parts.hostname or ""
    if port is not None and port != _PORTS.get(parts.scheme):
        raise InvalidRequest(f"{less} {_scheme(parts)}://{host}:{port}/*")
    if parts.path.strip("/*") or parts.query or parts.fragment:
        raise InvalidRequest(f"{less} {_scheme(parts)}://{host}{parts.path.rstrip('/*')}/*")
    key = host_key(host.removeprefix("*."))
    if parts.username is not None or not _is_host(key):
        raise InvalidRequest(f"{text!r} is no host, such as partner.example")
    return key


def _scheme(parts: SplitResult) -> str:
    return parts.scheme or "https"


def _ascii(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


def _is_host(key: str) -> bool:
    if ":" in key:
        return True
    return len(key) <= 253 and all(_LABEL.fullmatch(label) for label in key.split("."))
