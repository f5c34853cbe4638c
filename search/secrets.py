"""Passwords and signatures in addresses: taken out before an address is stored, shown or logged."""

from __future__ import annotations

import hashlib
import re

HIDDEN = "***"

#: parts of names whose values are secrets
SECRET = r"(?:password|passwd|passphrase|secret|token|signature|credential|authorization|api[-_]?key)"  # noqa: S105

#: whole names of parameters that are secrets: short ones, which as parts would be found in many others
_SHORT = r"(?:sig|hmac|jwt|pwd|pass|auth|sas|sid|session|access[-_]?key|hdnts|hdnea)"

#: user and password of a URL, unless they are hidden already; the last @ before the path counts, since
#: passwords may hold one
USER_INFO = re.compile(r"(\w://)(?!\*\*\*@[^@/?#\s\"'<>]*(?![^/?#\s\"'<>]))[^/?#\s\"'<>]*@")
QUERY = re.compile(
    rf"([?&;](?:[^=&\s]*{SECRET}[^=&\s]*|{_SHORT})=)([^&#\s\"'<>]+)",
    re.IGNORECASE,
)


def without_url_secrets(text: str) -> str:
    """The text, in which addresses have no user, password, signature or token any more.

    Of a value in a query a short digest is left, without which two pictures of one service could not be told
    apart; six digits of SHA-256 are too few to find a signature or a token by.
    """
    if "://" not in text:
        return text
    return QUERY.sub(_digested, USER_INFO.sub(r"\1", text))


def _digested(found: re.Match[str]) -> str:
    name, value = found.groups()
    if value.startswith(HIDDEN):
        return found[0]
    if "pass" in name.lower() or "pwd" in name.lower():  # chosen by people, so that it could be guessed
        return f"{name}{HIDDEN}"
    return f"{name}{HIDDEN}{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:6]}"
