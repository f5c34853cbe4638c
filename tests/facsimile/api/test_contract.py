"""The API against its own OpenAPI document, by requests that nobody thought of."""

from __future__ import annotations

import pytest

from tests.support.contract import keeps_to_its_document
from tests.support.pictures import photo_jpeg

pytestmark = pytest.mark.slow


def test_every_answer_is_one_that_the_document_announces(start, tmp_path):
    running = start(
        keys=True,
        line=200,
        settings={"fetch_connect_timeout": 0.5, "fetch_timeout": 1.0},
    )
    running.without_limit_of_failures()
    headers = running.key("admin")
    running.store(photo_jpeg(), "people/Eileen", headers)
    keeps_to_its_document(running.url, headers, tmp_path)
