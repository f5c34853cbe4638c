"""Searching: from a described image to ranked, verified matches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter

from facsimile.imaging.decode import Limits
from facsimile.imaging.describe import (
    HashQuery,
    hash_queries,
    hash_queries_of_middle,
    hash_queries_of_panels,
)
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import Description, ImageRecord, Key
from facsimile.imaging.regions import describe_regions
from facsimile.search.calibration import Calibrations
from facsimile.search.comparison import Comparison, compare
from facsimile.search.errors import AmbiguousId, InvalidRequest, RecordNotFound
from facsimile.search.index.base import Index
from facsimile.search.match import Match, Verdict
from facsimile.search.params import SearchParams
from facsimile.search.proof import Policy
from facsimile.search.query import IndexQuery, QueryImage
from facsimile.search.ranking import Thresholds, accepted, fused, judge, shown
from facsimile.search.regions import again, combined, is_explained, judge_regions, short
from facsimile.search.stored_queries import descriptions
from facsimile.search.verification import reach, verified

#: candidates beyond the limit of the answer, since exact ranking may reorder them. By vector alone fewer do
#: without verification: what a hash brings forward is a candidate by its hash
_SPARE = 40
_SPARE_BY_VECTOR = 10

#: receives what a search measured: seconds of the steps `ask`, `rank`, `verify` and `regions`, the number of
#: `candidates`
Observer = Callable[[str, float], None]

#: marks the places of a record that are gone
Locate = Callable[[ImageRecord], ImageRecord]

#: held during CPU-bound work; re-usable, such as a semaphore
CpuLimit = AbstractContextManager[object]


def _ignore(step: str, value: float) -> None:
    pass


class Finder:
    """Searches an index: the one place where a query is built, ranked and verified.

    `model` made the vectors of the index; without it regions are searched for by their hashes alone.
    `limits` are those of reading the thumbnails of stored images. `locate` marks the places of a match that
    are gone. `observer` receives timings. Where many threads search, `cpu_limit` is a semaphore that is
    held during CPU-bound work. Every method raises the errors of `facsimile.search.errors`.
    """

    def __init__(
        self,
        index: Index,
        thresholds: Thresholds | None = None,
        policy: Policy | None = None,
        *,
        model: Model | None = None,
        limits: Limits | None = None,
        locate: Locate = lambda record: record,
        observer: Observer = _ignore,
        cpu_limit: CpuLimit | None = None,
        calibrated: bool = True,
    ) -> None:
        self.index = index
        self.thresholds = thresholds or Thresholds()
        self.policy = policy or Policy()
        self._model = model
        self._limits = limits
        self._calibrations = Calibrations(index) if calibrated else None
        self._locate = locate
        self._observe = observer
        self._cpu_limit: CpuLimit = cpu_limit or nullcontext()

    def search(self, query: QueryImage | Description, params: SearchParams | None = None) -> list[Match]:
        """The matches of one image, best first."""
        return self.search_many([query], params)[0]

    def search_many(
        self, queries: Sequence[QueryImage | Description], params: SearchParams | None = None
    ) -> list[list[Match]]:
        """The matches of each image, best first, by one request to the index for all of them.

        A stored image (a `QueryImage` with a key) does not match itself.
        """
        params = params or SearchParams()
        images = [query if isinstance(query, QueryImage) else QueryImage(query) for query in queries]
        asked = [image.description for image in images]
        with self._cpu_limit:
            hashes = [self._hash_queries(query, params) for query in asked]
        start = perf_counter()
        found = self.index.ask(
            [self._index_query(*each, params) for each in zip(images, hashes, strict=True)]
        )
        by_text = self._by_text(params)
        self._observe_step("ask", start)
        with self._cpu_limit:
            answers = self._ranked(asked, hashes, found, params)
        if params.verifies and self.policy.regions:
            answers = self._with_regions(asked, answers, params)
        return [
            self._answer(image, fused(matches, by_text) if params.text else matches, params)
            for image, matches in zip(images, answers, strict=True)
        ]

    def search_text(self, params: SearchParams) -> list[Match]:
        """The records whose title or tags hold the words of the text, best first."""
        return self._located(fused([], self._by_text(params))[: params.limit])

    def compare(
        self, first: QueryImage | Description, second: QueryImage | Description, *, verify: bool = True
    ) -> Comparison:
        """Every distance of two images, and the verdict of a search for the second that meets the first."""
        one, other = (each.description if isinstance(each, QueryImage) else each for each in (first, second))
        with self._cpu_limit:
            found = compare(one, other, self.thresholds, self.policy, verify=verify)
        stored = next(
            (each.key for each in (first, second) if isinstance(each, QueryImage) and each.key), None
        )
        if not (self._calibrations and found.match):
            return found
        collection = stored.collection if stored else found.match.record.collection
        judged = self._calibrations.judged(found.match, collection)
        return dataclasses.replace(found, match=judged)

    def key_of(self, id: str, collections: Sequence[str] = ()) -> Key:
        """The key of the one record with this id, in all or the given collections.

        Raises RecordNotFound, and AmbiguousId where several collections have such a record.
        """
        keys = self.index.keys_of(id, collections)
        if not keys:
            raise RecordNotFound(f"there is no record with the id {id}")
        if len(keys) > 1:
            names = sorted(key.collection for key in keys)
            raise AmbiguousId(f"the id {id} is in several collections: {', '.join(names)}", names)
        return keys[0]

    def stored_query(self, id: str, collections: Sequence[str] = ()) -> QueryImage:
        """A stored image as a query, by its id; its other orientations come from its thumbnail.

        Raises as `key_of`, and RecordNotFound where the record has no thumbnail.
        """
        key = self.key_of(id, collections)
        record = self.index.get([key]).get(key)
        if record is None:
            raise RecordNotFound(f"there is no record with the id {id}")
        with self._cpu_limit:
            (description,) = descriptions([record], limits=self._limits)
        if isinstance(description, FacsimileError):
            raise description
        return QueryImage(description, key)

    def _ranked(
        self,
        queries: Sequence[Description],
        hashes: Sequence[Sequence[HashQuery]],
        found: Sequence[Sequence[ImageRecord]],
        params: SearchParams,
    ) -> list[list[Match]]:
        """The candidates of each query, ranked and verified."""
        start = perf_counter()
        answers = []
        for query, variants, records in zip(queries, hashes, found, strict=True):
            self._observe("candidates", len(records))
            answers.append(judge(query, variants, records, self._reach(params), params.mode))
        start = self._observe_step("rank", start)
        if params.verifies:
            told = verified(self.index, queries, answers, self.thresholds, self.policy)
            answers = [accepted(matches, self.thresholds) for matches in told]
            self._observe_step("verify", start)
        return answers

    def _with_regions(
        self, queries: Sequence[Description], answers: Sequence[list[Match]], params: SearchParams
    ) -> list[list[Match]]:
        """The answers, and what the regions and the negatives of unexplained queries find besides."""
        start = perf_counter()
        places = [
            place
            for place, (query, matches) in enumerate(zip(queries, answers, strict=True))
            if query.quality and not is_explained(matches)
        ]
        unknown = [queries[place] for place in places]
        with self._cpu_limit:
            regions = [describe_regions(query.thumbnail, self._model) for query in unknown]
            asked = [again(*pair, params.probes) for pair in zip(unknown, regions, strict=True)]
        questions = [each.index_query(self.thresholds, params.records) for some in asked for each in some]
        found = iter(self.index.ask(questions) if questions else [])
        result = list(answers)
        with self._cpu_limit:
            judged = [judge_regions(some, [next(found) for _ in some], self.thresholds) for some in asked]
            told = verified(self.index, unknown, judged, self.thresholds, short(self.policy))
            for place, more in zip(places, told, strict=True):
                result[place] = combined(answers[place], more, self.thresholds)
        self._observe_step("regions", start)
        return result

    def _answer(self, image: QueryImage, matches: Sequence[Match], params: SearchParams) -> list[Match]:
        """The matches that are returned, with the distances that are shown."""
        if self._calibrations and params.mode == "copies":
            matches = self._calibrations.ordered(matches)
        kept = [
            match
            for match in matches
            if match.record.key != image.key
            and (match.score >= params.min_score or match.verdict is Verdict.TEXT)
        ]
        return self._located(shown(image.description, kept[: params.limit], self.thresholds))

    def _located(self, matches: Sequence[Match]) -> list[Match]:
        return [dataclasses.replace(match, record=self._locate(match.record)) for match in matches]

    def _observe_step(self, step: str, start: float) -> float:
        """Report the seconds of a step; returns the start of the next one."""
        now = perf_counter()
        self._observe(step, now - start)
        return now

    def _reach(self, params: SearchParams) -> Thresholds:
        return reach(self.thresholds, self.policy) if params.verifies else self.thresholds

    def _by_text(self, params: SearchParams) -> list[ImageRecord]:
        if not params.text:
            return []
        return self.index.ask_words(params.text, params.limit + _SPARE, params.records)

    def _hash_queries(self, query: Description, params: SearchParams) -> tuple[HashQuery, ...]:
        in_pages = params.verifies or (params.panels and params.mode == "copies")
        wholes = hash_queries(query, orientations=params.orientations, probes=params.probes, panels=in_pages)
        parts = hash_queries_of_panels(query, params.probes) if params.verifies else []
        middle = hash_queries_of_middle(query, params.probes) if in_pages else []
        return (*wholes, *parts, *middle)

    def _index_query(
        self, image: QueryImage, variants: tuple[HashQuery, ...], params: SearchParams
    ) -> IndexQuery:
        query = image.description
        itself = image.key is not None  # a stored image finds itself, too
        wanted = params.limit + _SPARE + itself
        vector = query.vector if self.index.signatures.dims and query.quality else None
        if params.mode == "similar":
            if not self.index.signatures.dims:
                raise InvalidRequest("this index has no vectors, so it cannot search for similar images")
            variants = ()
        by_vector = wanted if params.verifies else params.limit + _SPARE_BY_VECTOR + itself
        return IndexQuery(
            variants,
            self._reach(params).similar,
            wanted,
            params.records,
            vector,
            nearest=0 if vector is None else by_vector,
            digests=query.digests,
        )
