"""The plan of image-match on Elasticsearch, for comparison: 63 words in one `should`, the first 100 by
their number, and the exact distance of the signatures in Python.

A signature (Wong, Bern, Goldberg 2002) has, for each of 9x9 points, the differences of gray level to its
eight neighbours, in five steps. A word is 16 values in a row, reduced to three steps. image-match keeps
the signature as a list of numbers; here it is base64, which makes its answers smaller and the comparison
harder for us.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from elasticsearch import Elasticsearch
from numpy.typing import NDArray

_POINTS, _WORDS, _LENGTH = 9, 63, 16

#: hits whose signatures are compared, as in image-match
FIRST = 100

#: gray levels that count as equal
_EQUAL = 2


def signatures(spectra: NDArray[np.float32]) -> NDArray[np.int8]:
    """The signatures, int8 [N, 648], of the pictures with these spectra [N, 16, 16]."""
    sample = (np.arange(1, _POINTS + 1) / (_POINTS + 1) * 64)[:, None]
    basis = np.cos(np.pi * np.arange(16) * (2 * sample + 1) / 128) * np.sqrt(2 / 64)
    basis[:, 0] /= np.sqrt(2)
    gray = basis @ spectra @ basis.T
    padded = np.pad(gray, ((0, 0), (1, 1), (1, 1)), mode="edge")
    steps = [(row, column) for row in (0, 1, 2) for column in (0, 1, 2) if (row, column) != (1, 1)]
    differences = np.stack(
        [padded[:, row : row + _POINTS, column : column + _POINTS] - gray for row, column in steps], axis=-1
    ).reshape(len(spectra), -1)
    made = np.zeros(differences.shape, np.int8)
    for sign in (1, -1):
        values = np.where(sign * differences > _EQUAL, sign * differences, np.nan)
        half = np.nanmedian(values, axis=1, keepdims=True)
        made += (sign * ((values > 0).astype(np.int8) + (values > half))).astype(np.int8)
    return made


def words(signatures: NDArray[np.int8]) -> NDArray[np.int64]:
    """The 63 words of each signature: int64 [N, 63]."""
    length = signatures.shape[1]
    starts = np.linspace(0, length, _WORDS, endpoint=False).astype(int)
    padded = np.pad(np.sign(signatures) + 1, ((0, 0), (0, _LENGTH)), constant_values=1)
    runs = padded[:, starts[:, None] + np.arange(_LENGTH)].astype(np.int64)
    made: NDArray[np.int64] = runs @ (3 ** np.arange(_LENGTH))
    return made


class WordIndex:
    """The index `NAME-words` beside an index `http://HOST:PORT/NAME`."""

    def __init__(self, location: str) -> None:
        server, _, name = location.rpartition("/")
        self._client = Elasticsearch(server, request_timeout=120)
        self.name = f"{name}-words"

    def load(self, batches: Iterable[NDArray[np.float32]], size: int, id_of: Callable[[int], str]) -> None:
        """Write the records of these spectra, unless all of them are there."""
        if not self._client.indices.exists(index=self.name):
            keyword = {"type": "keyword", "doc_values": False}
            self._client.indices.create(
                index=self.name,
                settings={"number_of_shards": 1, "number_of_replicas": 0},
                mappings={
                    "dynamic": "strict",
                    "properties": {
                        "words": keyword,
                        "signature": {"type": "keyword", "index": False},
                        "path": {"type": "keyword"},
                    },
                },
            )
        done = int(self._client.count(index=self.name)["count"])
        for batch, spectra in enumerate(batches):
            if (batch + 1) * size <= done:
                continue
            made = signatures(spectra)
            lines: list[dict[str, object]] = []
            for place, (signature, terms) in enumerate(zip(made, words(made), strict=True)):
                id = id_of(batch * size + place)
                lines.append({"index": {"_id": id}})
                lines.append({"path": id, "words": _terms(terms), "signature": _text(signature)})
            self._client.bulk(index=self.name, operations=lines, filter_path="errors")
        self._client.indices.refresh(index=self.name)

    def merge(self) -> None:
        self._client.options(request_timeout=3600).indices.forcemerge(index=self.name, max_num_segments=1)

    def search(self, signature: NDArray[np.int8], limit: int = 10) -> list[tuple[str, float]]:
        """Ids and normalised distances of the nearest of the first hundred, nearest first."""
        answer = self._client.search(index=self.name, **self._body(signature))
        return _ranked(signature, answer["hits"]["hits"])[:limit]

    def search_many(self, some: Iterable[NDArray[np.int8]], limit: int = 10) -> list[list[tuple[str, float]]]:
        """The same for several, in one request."""
        asked = list(some)
        lines = [line for each in asked for line in ({"index": self.name}, self._body(each))]
        answers = self._client.msearch(searches=lines)["responses"]
        return [
            _ranked(each, answer["hits"]["hits"])[:limit] for each, answer in zip(asked, answers, strict=True)
        ]

    def _body(self, signature: NDArray[np.int8]) -> dict[str, Any]:
        should = [{"term": {"words": term}} for term in _terms(words(signature[None])[0])]
        return {
            "query": {"bool": {"should": should}},
            "size": FIRST,
            "_source": False,
            "docvalue_fields": ["signature", "path"],
            "track_total_hits": False,
        }


def _terms(words: NDArray[np.int64]) -> list[str]:
    return [f"{place}-{word}" for place, word in enumerate(words.tolist())]


def _text(signature: NDArray[np.int8]) -> str:
    return base64.b64encode(signature.tobytes()).decode()


def _ranked(
    signature: NDArray[np.int8], hits: list[dict[str, dict[str, list[str]]]]
) -> list[tuple[str, float]]:
    if not hits:
        return []
    ids = [hit["fields"]["path"][0] for hit in hits]
    stored = np.stack(
        [np.frombuffer(base64.b64decode(hit["fields"]["signature"][0]), np.int8) for hit in hits]
    )
    difference = stored.astype(np.float32) - signature
    norms = np.linalg.norm(stored.astype(np.float32), axis=1) + np.linalg.norm(signature.astype(np.float32))
    distances = np.linalg.norm(difference, axis=1) / norms
    order = np.argsort(distances, kind="stable")
    return [(ids[place], float(distances[place])) for place in order]
