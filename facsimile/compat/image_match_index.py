"""The images of an index of image-match as a list that can be ingested."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from facsimile.compat.metadata import as_object

if TYPE_CHECKING:
    from facsimile.search.index.elastic.options import ElasticOptions


def write_manifest(address: str, manifest: Path, options: ElasticOptions | None = None) -> int:
    """Write a JSON Lines manifest of the images, by their paths, which are their ids, too; returns how many
    documents there were. A relative path is taken from the present folder. Raises StoreError, InvalidRequest.
    """
    from facsimile.search.index.elastic.image_match import documents

    number = 0
    with manifest.open("wb") as file:
        for document in documents(address, options):
            source = document.path if "://" in document.path else str(Path(document.path).absolute())
            row = {"source": source, "id": document.path, "metadata": as_object(document.metadata)}
            file.write(orjson.dumps(row) + b"\n")
            number += 1
    return number
