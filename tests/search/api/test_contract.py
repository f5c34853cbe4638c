"""The API against its own OpenAPI document, by requests that nobody thought of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.search.api.conftest import picture

#: what schemathesis looks at; whether bytes are an image, no schema can say, so valid data may be refused
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,"
    "use_after_free,ensure_resource_availability,ignored_auth"
)


def test_every_answer_is_one_that_the_document_announces(start, tmp_path):
    running = start(
        keys=True,
        line=200,
        settings={"fetch_connect_seconds": 0.5, "fetch_seconds": 1.0},
    )
    headers = running.key("admin")
    running.store(picture(), "people/Eileen", headers)
    schemathesis = Path(sys.executable).parent / "schemathesis"
    done = subprocess.run(
        [
            schemathesis,
            "run",
            f"{running.url}/openapi.json",
            *("-H", f"Authorization: {headers['Authorization']}"),
            *("--checks", CHECKS),
            *("--max-time", "60", "--suppress-health-check", "all", "--continue-on-failure"),
            *("--request-timeout", "20", "--seed", "20262"),
        ],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
