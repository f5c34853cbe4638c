"""The OpenAPI document: a schema for every answer, a client that is generated from it, and its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facsimile.api.schemas import findings, matches
from facsimile.imaging.describe import describe
from facsimile.search.evaluation.attacks import attack
from facsimile.search.finder import Finder
from tests.support.api_server import Running
from tests.support.pictures import photo_jpeg

#: uses a generated client; the server and the file of a mirrored picture are its arguments
USE = """
import base64, sys
import facsimile_client as generated

with generated.ApiClient(generated.Configuration(host=sys.argv[1])) as client:
    image = base64.b64encode(open(sys.argv[2], "rb").read()).decode()
    query = generated.SearchRequest(image_base64=image)
    (found,) = generated.SearchApi(client).search(query).matches
    assert (found.id, found.verdict) == ("people/Eileen", "copy"), found
    assert found.proof.transform.mirrored and len(found.proof.area.stored) >= 3, found.proof
    image = generated.ImagesApi(client).get_image("people/Eileen")
    assert image.metadata["year"] == 1969 and image.added_at.year >= 2026, image
"""


def references(node: Any) -> Iterator[str]:
    """The names of all schemas that a part of the document refers to."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def untyped(node: Any, path: str = "") -> Iterator[str]:
    """Where a schema lets anything pass."""
    if isinstance(node, dict):
        if node.get("additionalProperties") is True or (not node and not path.endswith("default")):
            yield path
        for name, value in node.items():
            yield from untyped(value, f"{path}.{name}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from untyped(value, f"{path}.{place}")


@pytest.fixture
def document(api: Running) -> Any:
    return api.http.get("/openapi.json").json()


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_answer_has_a_schema(document):
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                assert content.get("schema"), f"{name} {status} {media_type}"


def test_no_answer_holds_what_has_no_type_but_metadata(document):
    schemas = document["components"]["schemas"]
    answered = set(references([operation["responses"] for _, operation in operations(document)]))
    while more := set(references([schemas[name] for name in answered])) - answered:
        answered |= more
    assert {"Finding", "Proof", "Transform", "Allowance", "JobProgress", "Scan"} <= answered
    open_to_all = [place for name in sorted(answered) for place in untyped(schemas[name], name)]
    assert open_to_all == ["JsonValue"]
    for name in (name for name in answered if "JsonValue" in references(schemas[name])):
        assert "metadata" in schemas[name]["properties"] or name == "MatchDone", name


def test_every_json_body_has_an_example(document):
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            schema = document["components"]["schemas"][next(references(content))]
            assert "example" in content or "examples" in schema, name


def test_names_of_operations_are_unique_and_verbs_of_their_own(document):
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert {"search", "add_image", "list_findings", "review_finding", "start_scan"} <= set(names)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_generated_client_compiles_and_is_answered(api, document, tmp_path: Path):
    api.store(photo_jpeg(0, 400), "people/Eileen", metadata=json.dumps({"year": 1969}))
    suspect = tmp_path / "suspect.jpg"
    suspect.write_bytes(attack(photo_jpeg(0, 400), "flip"))
    api.service.index.refresh()
    given, client = tmp_path / "openapi.json", tmp_path / "client"
    given.write_text(json.dumps(document))

    def run(*command: object) -> None:
        done = subprocess.run(
            [*map(str, command)],
            env={**os.environ, "PYTHONPATH": str(client)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    generator = Path(sys.executable).parent / "openapi-generator-cli"
    options = ("--package-name", "facsimile_client")
    run(generator, "generate", "-i", given, "-g", "python", "-o", client, *options)
    run(sys.executable, "-m", "compileall", "-q", client / "facsimile_client")
    run(sys.executable, "-c", USE, api.url, suspect)


def test_the_documentation_page_sends_requests_and_loads_nothing_from_elsewhere(api, visit):
    page = visit(f"{api.url}/docs")
    count = "document.querySelector('#operations-collections-list_collections {}')"
    page.until(count.format("button"))
    page.click("#operations-collections-list_collections button.opblock-summary-control")
    page.until(count.format(".try-out__btn"))
    page.click("#operations-collections-list_collections .try-out__btn")
    page.until(count.format(".execute"))
    page.click("#operations-collections-list_collections .execute")
    page.until(count.format(".live-responses-table"))
    assert "collections" in page.text("#operations-collections-list_collections .live-responses-table")
    assert all(each.startswith((api.url, "data:")) for each in page.requested)


def test_the_schemas_hold_all_that_matches_and_findings_say(api):
    """What a schema lacks would be left out of the answers."""
    api.store(photo_jpeg(0, 400), "a")
    query = describe(attack(photo_jpeg(0, 400), "flip"))
    (match,) = Finder(api.service.index).search(query)
    said = match.as_json()
    assert said.keys() | {"thumbnail"} == matches.FoundImage.model_fields.keys()
    assert said["proof"].keys() == matches.Proof.model_fields.keys()
    assert said["proof"]["transform"].keys() == matches.ProvenTransform.model_fields.keys()
    assert said["transform"].keys() <= matches.Transform.model_fields.keys()
    facts = match.record.as_json().keys() - {"gone"} | {"hash"}
    assert facts == findings.RecordFacts.model_fields.keys()
