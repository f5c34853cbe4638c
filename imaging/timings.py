"""Seconds spent in each stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Self


@dataclass(slots=True)
class Timings:
    """Seconds spent in each stage of describing images; other rooms add their own stages in a subclass.

    `decode` holds what is done with the bytes and the whole picture, thumbnails and digests included;
    `model` what the network is shown and what it computes.
    """

    decode: float = 0.0
    hash: float = 0.0
    model: float = 0.0

    @property
    def describe(self) -> float:
        return self.decode + self.hash + self.model

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Add what the block takes to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, stage, getattr(self, stage) + time.perf_counter() - start)

    def add(self, other: Self) -> None:
        """Add another's seconds."""
        for stage in fields(self):
            setattr(self, stage.name, getattr(self, stage.name) + getattr(other, stage.name))
