"""The API of the tests that need nothing special of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.api_server import Running


@pytest.fixture
def api(start: Callable[..., Running]) -> Running:
    """An open server over an empty index."""
    return start()
