"""Arguments that are several texts."""

from __future__ import annotations

from collections.abc import Sequence


def listed(values: str | Sequence[str]) -> tuple[str, ...]:
    """Several texts; a single one is taken for a list of one."""
    return (values,) if isinstance(values, str) else tuple(values)
