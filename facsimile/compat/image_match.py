"""The Python interface of image-match (`SignatureES`, `ImageSignature`) over a Facsimile index.

    from facsimile.compat.image_match import ImageSignature, SignatureES

in place of image-match's own modules; the rest of a program stays. Signatures are our hashes, as 256 numbers
of -1 and 1, so image-match's distance |a - b| / (|a| + |b|) of two of them is the root of the share of bits
that differ: the usual cutoff of 0.45 is 51 bits. What differs otherwise is in docs/image-match.md.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facsimile.compat.metadata import as_object, as_stored
from facsimile.images import ImageInput
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.opening import open as open_index
from facsimile.query_reader import QueryReader
from facsimile.search.errors import InvalidRequest
from facsimile.search.match import Match, Verdict
from facsimile.search.query import QueryImage, text_of
from facsimile.settings import Settings

__all__ = ["ImageSignature", "SignatureES", "normalized_distance"]

#: a proven copy is at most so far, and what is only similar at least as far as image-match's usual cutoff
_FARTHEST_COPY = 0.449
_NEAREST_OTHER = 0.45

#: distance of pictures that are only known to be alike by their vectors: that of unrelated hashes
_UNRELATED = float(np.sqrt(0.5))

#: parameters of image-match's signature, which ours does not have
_SIGNATURE = frozenset(
    ("n", "crop_percentiles", "P", "diagonal_neighbors", "identical_tolerance", "n_levels", "fix_ratio")
)
_INDEX = frozenset(("k", "N", "n_grid", "crop_percentile"))


class ImageSignature:
    """Computes signatures and their distance. The parameters of image-match's signature have no effect."""

    def __init__(self, *args: Any, **parameters: Any) -> None:
        _without_effect(args, parameters, _SIGNATURE)
        self._reader = QueryReader(Settings(), None)

    def generate_signature(self, path_or_image: ImageInput, bytestream: bool = False) -> NDArray[np.int8]:
        """The signature of an image, int8 [256]: -1 and 1, or 0 throughout for a picture of one colour.

        `path_or_image` is a path, a URL or an array; bytes with or without `bytestream`. Raises
        FacsimileError.
        """
        return _signature(self._reader.read(path_or_image))

    @staticmethod
    def normalized_distance(_a: NDArray[Any], _b: NDArray[Any]) -> float:
        """|b - a| / (|b| + |a|), 0..1; 1.0 where both are zero throughout."""
        return float(normalized_distance(np.asarray(_a)[None], np.asarray(_b))[0])


def normalized_distance(
    _target_array: NDArray[Any], _vec: NDArray[Any], nan_value: float = 1.0
) -> NDArray[np.float64]:
    """|v - t| / (|v| + |t|) of a signature [M] and of several [N, M]; `nan_value` where both are zero."""
    targets, vector = np.asarray(_target_array, np.float64), np.asarray(_vec, np.float64)
    apart = np.linalg.norm(targets - vector, axis=1)
    together = np.linalg.norm(targets, axis=1) + np.linalg.norm(vector)
    distances = np.full(len(apart), nan_value)
    np.divide(apart, together, out=distances, where=together > 0)
    return distances


class SignatureES:
    """Stores images in an index and searches it.

    `es` is a client of Elasticsearch, whose addresses are used (credentials are settings:
    `FACSIMILE_ELASTIC_API_KEY` and others), an address, or the path of a folder for an embedded index beside
    `index`. `distance_cutoff` is the distance below which a match is returned: up to 0.45 only proven copies
    are. `size` is the largest number of matches. Parameters of image-match's own layout have no effect.
    """

    def __init__(
        self,
        es: Any,
        index: str = "images",
        doc_type: str = "image",
        timeout: str = "10s",
        size: int = 100,
        *args: Any,
        distance_cutoff: float = 0.45,
        **parameters: Any,
    ) -> None:
        _without_effect(args, parameters, _INDEX | _SIGNATURE)
        if not isinstance(distance_cutoff, float):
            raise TypeError("distance_cutoff should be a float")
        if distance_cutoff < 0:
            raise ValueError(f"distance_cutoff should be > 0 (got {distance_cutoff!r})")
        self.es = es
        self.index = index
        self.doc_type = doc_type
        self.timeout = timeout
        self.size = size
        self.distance_cutoff = distance_cutoff
        self.gis = ImageSignature()
        self.library = open_index(_location(es, index))

    def add_image(
        self,
        path: str,
        img: ImageInput | None = None,
        bytestream: bool = False,
        metadata: Any = None,
        refresh_after: bool = False,
    ) -> None:
        """Store one image under its path, which is its id: the same path again replaces it.

        `img` is the image where it is not at `path`: bytes with `bytestream`, else a path or URL. Searches
        find it as soon as this returns. Raises FacsimileError.
        """
        image = path if img is None else img
        self.library.add(image, id=path, source=_absolute(path), metadata=as_object(metadata))

    def search_image(
        self,
        path: ImageInput,
        all_orientations: bool = False,
        bytestream: bool = False,
        pre_filter: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """The stored images that are copies of this one, as image-match returns them: dicts of `dist`, `id`,
        `path`, `metadata` and `score` (the probability of a copy), the nearest first.

        `pre_filter` is a `term` or `terms` query on `IMAGE.metadata.KEY`, several of them, or a `bool` of
        `filter` or `must`. Raises FacsimileError.
        """
        found = self.library.search(
            path,
            limit=self.size,
            orientations=ORIENTATIONS if all_orientations else ("upright",),
            filter=_filter(pre_filter, f"{self.doc_type}.metadata.") if pre_filter else None,
        )
        results = [_as_result(match) for match in found if match.verdict is not Verdict.TEXT]
        return sorted(
            (each for each in results if each["dist"] < self.distance_cutoff), key=lambda each: each["dist"]
        )

    def delete_duplicates(self, path: str) -> None:
        """Delete all but one record with this path: there is never more than one."""

    def close(self) -> None:
        """Close the index."""
        self.library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _signature(query: QueryImage) -> NDArray[np.int8]:
    description = query.description
    bits = np.unpackbits(description.bits).astype(np.int8)
    return 2 * bits - 1 if description.quality else 0 * bits


def _as_result(match: Match) -> dict[str, Any]:
    record = match.record
    apart = _UNRELATED if match.hamming is None else float(np.sqrt(match.hamming / 256))
    is_copy = match.verdict in (Verdict.IDENTICAL, Verdict.COPY)
    return {
        "dist": min(apart, _FARTHEST_COPY) if is_copy else max(apart, _NEAREST_OTHER),
        "id": record.id,
        "path": record.source if record.id == record.sha256 else record.id,
        "metadata": as_stored(record.metadata),
        "score": match.score,
    }


def _location(es: Any, index: str) -> str:
    """The location of an index: at the addresses of a client, or below an address or a folder."""
    if isinstance(es, str | os.PathLike):
        return f"{os.fspath(es).rstrip('/')}/{index}"
    try:
        nodes = [node.base_url for node in es.transport.node_pool.all()]
    except AttributeError:
        raise InvalidRequest("es must be a client of Elasticsearch, an address, or a folder") from None
    scheme, _, first = nodes[0].rstrip("/").partition("://")
    others = [node.partition("://")[2].partition("/")[0] for node in nodes[1:]]
    host, slash, prefix = first.partition("/")
    return f"{scheme}://{','.join([host, *others])}{slash}{prefix}/{index}"


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def _filter(query: Any, prefix: str) -> dict[str, list[str]]:
    """The filter that a query of Elasticsearch on metadata means. Raises InvalidRequest for other queries."""
    terms: dict[str, list[str]] = {}
    for key, values in _terms(query, prefix):
        if key in terms:
            raise InvalidRequest(f"pre_filter names {key} twice")
        terms[key] = values
    return terms


def _terms(query: Any, prefix: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(query, Sequence) and not isinstance(query, str):
        for each in query:
            yield from _terms(each, prefix)
        return
    match query:
        case {"term": {**on}} | {"terms": {**on}} if len(query) == 1 and len(on) == 1:
            name, value = next((str(name), value) for name, value in on.items())
            value = value["value"] if isinstance(value, Mapping) else value
            if name.startswith(prefix):
                values = value if isinstance(value, list) else [value]
                yield f"metadata.{name.removeprefix(prefix)}", [text_of(each) for each in values]
                return
        case {"bool": {**clauses}} if len(query) == 1 and clauses.keys() <= {"filter", "must"}:
            for clause in clauses.values():
                yield from _terms(clause, prefix)
            return
    raise InvalidRequest(f"pre_filter may be term and terms queries on {prefix}KEY, not {query!r}")


def _without_effect(args: Sequence[Any], parameters: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := parameters.keys() - known:
        raise TypeError(f"unexpected parameter {min(unknown)!r}")
    if args or parameters:
        warnings.warn("parameters of image-match's signature have no effect here", stacklevel=3)
