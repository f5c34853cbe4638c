"""Findings by what they have in common: the work, the site, the same edited copy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.distance import hamming
from facsimile.workers.scanning.findings import Finding

#: largest Hamming distance of two suspects that are copies of one another, as in
#: `facsimile.search.duplicates.clustering`
RADIUS = 31

#: suspects whose distances to all others are computed at a time
_TOGETHER = 256


class Clusters:
    """Findings of one work whose suspects are copies of one another, and those of the same suspect."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._works: dict[str, list[tuple[str, bytes]]] = {}
        self._suspects: dict[str, str] = {}

    def add(self, finding: Finding) -> None:
        """Take one more finding into account; 32 bytes and its names are kept."""
        self._parent[finding.id] = finding.id
        hash = bytes.fromhex(finding.suspect["hash"])
        self._works.setdefault(finding.entry.term("work"), []).append((finding.id, hash))
        first = self._suspects.setdefault(finding.suspect["sha256"], finding.id)
        self._join(first, finding.id)

    def names(self) -> dict[str, str]:
        """For each finding that is not alone the name of its cluster: the id of one of them."""
        for found in self._works.values():
            self._join_near([id for id, _ in found], [hash for _, hash in found])
        members: dict[str, list[str]] = {}
        for id in self._parent:
            members.setdefault(self._root(id), []).append(id)
        return {id: min(ids) for ids in members.values() if len(ids) > 1 for id in ids}

    def _join_near(self, ids: list[str], hashes: list[bytes]) -> None:
        bits: NDArray[np.uint8] = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)
        for start in range(0, len(ids), _TOGETHER):
            some = bits[start : start + _TOGETHER]
            near = hamming(some[:, None, :], bits[None, start:, :]) <= RADIUS
            for row, column in zip(*np.nonzero(np.triu(near, 1)), strict=True):
                self._join(ids[start + int(row)], ids[start + int(column)])

    def _root(self, id: str) -> str:
        while self._parent[id] != id:
            self._parent[id] = self._parent[self._parent[id]]
            id = self._parent[id]
        return id

    def _join(self, first: str, second: str) -> None:
        self._parent[self._root(first)] = self._root(second)


def clusters(findings: Iterable[Finding]) -> dict[str, str]:
    """For each of the findings that is not alone the name of its cluster."""
    found = Clusters()
    for finding in findings:
        found.add(finding)
    return found.names()
