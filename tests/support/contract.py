"""Requests that nobody thought of, made by schemathesis from an OpenAPI document."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: what schemathesis looks at; whether bytes are an image, no schema can say, so valid data may be refused
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,"
    "use_after_free,ensure_resource_availability,ignored_auth"
)


def keeps_to_its_document(
    url: str, headers: dict[str, str], folder: Path, *options: str, seconds: int = 60
) -> None:
    """Ask a server for so long; fails with what it answered that its document does not announce."""
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{url}/openapi.json",
            *("-H", f"Authorization: {headers['Authorization']}"),
            *("--checks", CHECKS),
            *("--max-time", str(seconds), "--suppress-health-check", "all", "--continue-on-failure"),
            *("--request-timeout", "20", "--seed", "20262"),
            *options,
        ],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
