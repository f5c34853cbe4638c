"""New signatures for records that an index holds already: after a change of the model, or of the hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from facsimile.imaging.decode import Limits
from facsimile.imaging.describe import describe_many
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import Description, ImageRecord
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from facsimile.ingest.open_source import is_remote
from facsimile.search.index.base import Signatures

#: pictures whose bytes are held at a time
AT_ONCE = 32


@dataclass(slots=True)
class Redescribed:
    """Of how many records the signatures come from where.

    `from_sources`: from the very bytes, read again. `from_thumbnails`: of those whose source could not be
    read. `kept`: what was stored serves on. `without`: neither source nor thumbnail can be read; they have no
    vector, no panels where those are new, and no hash where that changed, so only their digests find them. Of
    an earlier layout, only those `from_sources` have a digest of their content.
    """

    from_sources: int = 0
    from_thumbnails: int = 0
    kept: int = 0
    without: int = 0


class Redescriber:
    """Makes records of an index with the signatures `old` fit one with the signatures `new`.

    `model` makes the vectors of `new`; None where there are none, or where they stay as they are. Records
    whose vector is missing get one, too. With `outdated` the old index is of an earlier layout: all get
    panels, and a digest of their content, which takes the source. Remote sources are read only where
    `fetch` says so. `panels` has those of all records found anew. An instance is a
    `facsimile.search.index.base.RecordTransform`, and counts in `tally`.
    """

    def __init__(
        self,
        old: Signatures,
        new: Signatures,
        *,
        loader: Loader,
        limits: Limits | None = None,
        model: Model | None = None,
        fetch: bool = False,
        outdated: bool = False,
        panels: bool = False,
    ) -> None:
        self.tally = Redescribed()
        self._hash_changed = old.hash != new.hash
        self._model_changed = (old.model, old.dims) != (new.model, new.dims)
        self._loader = loader
        self._limits = limits
        self._model = model
        self._fetch = fetch
        self._outdated = outdated
        self._panels = outdated or panels or self._hash_changed

    def __call__(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """The records with their new signatures, in their order. Raises ModelError where the model fails."""
        if self._model_changed:  # a vector of the old model is none
            records = [record.replaced(vector=None) for record in records]
        renewed = list(records)
        lacking = [position for position, record in enumerate(records) if self._lacks(record)]
        self.tally.kept += len(records) - len(lacking)
        for start in range(0, len(lacking), AT_ONCE):
            some = lacking[start : start + AT_ONCE]
            made = self._renewed([records[position] for position in some])
            for position, record in zip(some, made, strict=True):
                renewed[position] = record
        return renewed

    def _lacks(self, record: ImageRecord) -> bool:
        return self._panels or (self._model is not None and record.vector is None)

    def _renewed(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        model = self._model if any(record.vector is None for record in records) else None
        originals = self._described(self._originals(records), model)
        thumbnails = self._described(
            {
                position: record.thumbnail
                for position, record in enumerate(records)
                if position not in originals and record.thumbnail is not None
            },
            model,
        )
        self.tally.from_sources += len(originals)
        self.tally.from_thumbnails += len(thumbnails)
        self.tally.without += len(records) - len(originals) - len(thumbnails)
        return [
            self._with(record, originals.get(position), thumbnails.get(position))
            for position, record in enumerate(records)
        ]

    def _originals(self, records: Sequence[ImageRecord]) -> dict[int, bytes]:
        """The very bytes of records, by position, as far as one of the sources still has them."""
        found: dict[int, bytes] = {}
        left = {position: self._places(record) for position, record in enumerate(records)}
        while left := {position: places for position, places in left.items() if places}:
            items = [Item(places.pop(0)) for places in left.values()]
            for position, data in zip(list(left), self._loader.load(items), strict=True):
                if isinstance(data, bytes) and sha256(data).hexdigest() == records[position].sha256:
                    found[position] = data
                    del left[position]
        return found

    def _places(self, record: ImageRecord) -> list[str]:
        """Where to look for the bytes, nearest first."""
        near = [source for source in record.sources if not is_remote(source)]
        return near + [source for source in record.sources if is_remote(source) and self._fetch]

    def _described(self, datas: Mapping[int, bytes], model: Model | None) -> dict[int, Description]:
        """What can be read of these bytes."""
        described = describe_many(list(datas.values()), limits=self._limits, model=model)
        return {
            position: description
            for position, description in zip(datas, described, strict=True)
            if isinstance(description, Description)
        }

    def _with(
        self, record: ImageRecord, original: Description | None, thumbnail: Description | None
    ) -> ImageRecord:
        if self._outdated:  # a digest of an earlier layout covers less: none but the same bytes are identical
            record = record.replaced(pixels=record.sha256)
        description = original or thumbnail
        if description is None:
            # a hash of another version is as good as any: let none be found by it
            return record.replaced(quality=0) if self._hash_changed else record
        made = ImageRecord.of(description)
        if original and (self._outdated or self._hash_changed):
            record = record.replaced(pixels=made.pixels)
        if record.vector is None:
            record = record.replaced(vector=made.vector)
        if self._panels:
            record = record.replaced(panels=made.panels)
        if self._hash_changed:
            record = record.replaced(quality=made.quality, bits=made.bits, bits_trimmed=made.bits_trimmed)
        return record
