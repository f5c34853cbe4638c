"""A disjoint-set forest (union-find) with path halving."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class DisjointSet(Generic[T]):
    """Groups of values that are joined over any number of steps."""

    def __init__(self) -> None:
        self._parent: dict[T, T] = {}

    def add(self, value: T) -> None:
        """Add a value as a group of its own, unless it is there."""
        self._parent.setdefault(value, value)

    def join(self, first: T, second: T) -> None:
        """Merge the groups of two values, which are added where they are not there."""
        self.add(first)
        self.add(second)
        self._parent[self._root(first)] = self._root(second)

    def groups(self) -> list[list[T]]:
        """All groups, each in the order in which its values were added."""
        members: dict[T, list[T]] = {}
        for value in self._parent:
            members.setdefault(self._root(value), []).append(value)
        return list(members.values())

    def _root(self, value: T) -> T:
        while self._parent[value] != value:
            self._parent[value] = self._parent[self._parent[value]]
            value = self._parent[value]
        return value
