"""What `import facsimile` gives a user: names, errors, and little to wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import facsimile
from facsimile import errors
from facsimile.imaging.errors import FacsimileError


def subclasses(error: type[FacsimileError]) -> set[type[FacsimileError]]:
    return {error}.union(*(subclasses(each) for each in error.__subclasses__()))


@pytest.mark.parametrize("name", facsimile.__all__)
def test_every_public_name_is_there(name):
    assert getattr(facsimile, name) is not None
    assert name in dir(facsimile)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = facsimile.nothing


def test_every_error_is_importable_from_one_place():
    product = {each for each in subclasses(FacsimileError) if each.__module__.startswith("facsimile.")}
    assert {each.__name__ for each in product} <= {*errors.__all__}
    assert facsimile.RecordNotFound is errors.RecordNotFound


def test_a_client_loads_nothing_heavy():
    code = (
        "import sys, facsimile; facsimile.Client('http://127.0.0.1:1'); facsimile.AsyncClient('http://127.0.0.1:1');"
        "print(*sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    heavy = {"numpy", "PIL", "cv2", "onnxruntime", "fastapi", "celery", "pydantic", "httpx"}
    assert not heavy & {*loaded.split()}
