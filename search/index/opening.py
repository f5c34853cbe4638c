"""Opening an index: a folder is an embedded one, an http(s) address one on Elasticsearch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from facsimile.imaging.models import model
from facsimile.imaging.models.base import Model, ModelOptions
from facsimile.imaging.phash import HASH_VERSION
from facsimile.search.errors import IndexAlreadyExists, IndexMismatch, IndexNotFound, InvalidRequest
from facsimile.search.index.base import Index, Progress, RecordTransform, Signatures

if TYPE_CHECKING:
    from facsimile.search.index.elastic.options import ElasticOptions


def signatures_of(model: Model | None) -> Signatures:
    """What this version computes with a model, or with hashes alone."""
    if model is None:
        return Signatures(hash=HASH_VERSION)
    return Signatures(hash=HASH_VERSION, model=model.identity, dims=model.dims)


def is_elasticsearch(location: str) -> bool:
    """Whether a location is an index on Elasticsearch, and not a folder. Raises InvalidRequest where it is
    neither."""
    scheme, separator, _ = location.partition("://")
    if not location or (separator and scheme not in ("http", "https")):
        raise InvalidRequest(
            f"{location!r} is not a location of an index: use a folder, or http(s)://HOST:PORT/NAME"
        )
    return bool(separator)


def create_index(location: str, signatures: Signatures, options: ElasticOptions | None = None) -> Index:
    """A new, empty index; raises IndexAlreadyExists where there is one."""
    if is_elasticsearch(location):
        from facsimile.search.index.elastic.index import ElasticIndex

        return ElasticIndex.create(location, signatures, options)
    from facsimile.search.index.embedded.index import EmbeddedIndex

    return EmbeddedIndex.create(location, signatures)


def open_index(
    location: str, options: ElasticOptions | None = None, *, create: Signatures | None = None
) -> Index:
    """The index at a location; where there is none, a new one for these signatures, else IndexNotFound.

    Raises IndexMismatch where it keeps another kind of hash than this version computes. Its model may be
    any: see `model_of`.
    """
    try:
        return _opened(location, options)
    except IndexNotFound:
        if create is None:
            raise
    try:
        return create_index(location, create, options)
    except IndexAlreadyExists:  # another process was quicker
        return _opened(location, options)


def _opened(location: str, options: ElasticOptions | None) -> Index:
    index = _any(location, options)
    if index.signatures.hash != HASH_VERSION:
        index.close()
        raise IndexMismatch(
            f"{location} keeps hashes of version {index.signatures.hash}, this program computes "
            f"{HASH_VERSION}: `facsimile index reindex` computes them anew"
        )
    return index


def _any(location: str, options: ElasticOptions | None) -> Index:
    if is_elasticsearch(location):
        from facsimile.search.index.elastic.index import ElasticIndex

        return ElasticIndex.open(location, None, options)
    from facsimile.search.index.embedded.index import EmbeddedIndex

    return EmbeddedIndex.open(location)


def model_of(index: Index, requested: str = "", options: ModelOptions | None = None) -> Model | None:
    """The model that made the vectors of an index; None where it keeps none.

    `requested` names the model of the settings; it counts where the index alone does not suffice (the
    file of a TorchScript model). Raises IndexMismatch where this program has another version of the model.
    """
    identity = index.signatures.model
    if not identity:
        return None
    name = requested if family(requested) == family(identity) else identity
    if family(identity) in ("facsimile", "augnet"):
        name = family(identity)
    elif family(identity) == "torchscript" and name == identity:
        raise IndexMismatch(
            f"{index.location} was made with {identity}: name its file as FACSIMILE_MODEL=torchscript:FILE"
        )
    chosen = options or ModelOptions()
    found = model(name, batch=chosen.batch, threads=chosen.threads, device=chosen.device)
    if (found.identity, found.dims) != (identity, index.signatures.dims):
        raise IndexMismatch(
            f"{index.location} keeps vectors of {identity}, this program computes {found.identity}: "
            f"`facsimile index reindex --model {name}` recomputes them"
        )
    return found


def family(name: str) -> str:
    """`facsimile-1` and `facsimile` are of one family, as are all of `torchvision:…`."""
    return re.split(r"[:-]", name, maxsplit=1)[0]


def stored_signatures(location: str, options: ElasticOptions | None = None) -> Signatures:
    """What an index keeps; also where it has another hash or layout, so that `open_index` refuses it."""
    return _stored(location, options)[1]


def is_complete(location: str, options: ElasticOptions | None = None) -> bool:
    """Whether the records of an index hold all that this version describes; not those of an early layout."""
    if is_elasticsearch(location):
        from facsimile.search.index.elastic.mapping import COMPLETE
    else:
        from facsimile.search.index.embedded.schema import LAYOUT as COMPLETE
    return _stored(location, options)[0] >= COMPLETE


def _stored(location: str, options: ElasticOptions | None) -> tuple[int, Signatures]:
    if is_elasticsearch(location):
        from facsimile.search.index.elastic.index import ElasticIndex

        return ElasticIndex.stored(location, options)
    from facsimile.search.index.embedded.index import EmbeddedIndex

    return EmbeddedIndex.stored(location)


def rebuild_index(
    location: str,
    options: ElasticOptions | None = None,
    *,
    signatures: Signatures | None = None,
    transform: RecordTransform | None = None,
    progress: Progress | None = None,
) -> Index:
    """Build an index anew with the present layout and settings, and put it in the old one's place.

    `transform` makes the new signatures of records; without it they keep those that they have. Searches are
    served from the old ones until all are made, and no write is lost; the result is open. After a crash or an
    interruption the same call continues. Raises the errors of `facsimile.search.errors` and of `transform`.
    """
    if is_elasticsearch(location):
        from facsimile.search.index.elastic.index import ElasticIndex

        return ElasticIndex.reindex(location, signatures, options, transform=transform, progress=progress)
    from facsimile.search.index.embedded.index import EmbeddedIndex

    return EmbeddedIndex.reindex(location, signatures, transform=transform, progress=progress)


def destroy_index(location: str, options: ElasticOptions | None = None) -> None:
    """Remove an index with all its records; raises IndexNotFound where there is none."""
    with _any(location, options) as index:
        index.destroy()
