"""The address of an index on Elasticsearch: `http(s)://HOST[:PORT][,HOST…][/PREFIX]/NAME`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from facsimile.search.errors import InvalidRequest

#: what Elasticsearch listens on, with and without TLS
DEFAULT_PORT = 9200

_ADDRESS = re.compile(r"(https?)://([^/?#]+)((?:/[^/?#]+)*)/([^/?#]+)/?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")

#: what Elasticsearch allows for an index, short enough for the version that is appended
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class ElasticLocation:
    """Where an index is. `prefix` is the path under which a proxy serves Elasticsearch; often empty."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    prefix: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ElasticLocation:
        """The parts of an address; raises InvalidRequest, whose message never holds a password."""
        if "@" in text:
            raise InvalidRequest(
                "the address of an index holds no user or password: give them as settings (API key, or user)"
            )
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise InvalidRequest(f"{text[:200]!r} is no address of an index: http(s)://HOST:PORT/NAME")
        scheme, hosts, prefix, name = match.groups()
        if not _NAME.fullmatch(name) or re.search(r"-v[0-9]+$", name):
            raise InvalidRequest(
                f"{name[:80]!r} is no name for an index: at most 200 of a-z 0-9 . _ - "
                "beginning with a letter or a digit, and not ending like a version (-v1)"
            )
        return cls(scheme, tuple(_host(part) for part in hosts.split(",")), prefix, name)

    @property
    def nodes(self) -> list[str]:
        """One URL per host."""
        return [f"{self.scheme}://{host}:{port}{self.prefix}" for host, port in self.hosts]

    @property
    def server(self) -> str:
        """The server as people write it."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.scheme}://{hosts}{self.prefix}"

    def __str__(self) -> str:
        return f"{self.server}/{self.name}"


def _host(text: str) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    if match is None or int(match[2] or DEFAULT_PORT) > 65535:
        raise InvalidRequest(f"{text[:80]!r} is no host of an index: HOST or HOST:PORT")
    return match[1], int(match[2] or DEFAULT_PORT)
