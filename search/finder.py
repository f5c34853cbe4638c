"""The query: describe the picture, ask the index, rank, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter

from facsimile.imaging.describe import IN_PAGES, Probes, looks, looks_of_panels
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.match import Match
from facsimile.search.proof import Policy
from facsimile.search.query import Filter, Question, Variant
from facsimile.search.ranking import Mode, Thresholds, accepted, fused, judge, shown
from facsimile.search.verification import reach, verified

#: candidates by hash that are wanted beyond the limit of the answer, since exact ranking may reorder them
_SPARE = 40

#: most matches in one answer
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """How to search.

    `mode`: see `facsimile.search.ranking.judge`. `probes`: 0 to 3 bits nearest the median that each band also
    asks flipped, or `all` for every one-bit neighbour, with which no pair within Hamming distance 31 is
    missed (more terms, slower). `words`: of title and tags, joined by reciprocal rank fusion. `verify`: prove
    the best candidates by geometry, in the mode `copies`. `pages`: bring stored pages that may show the
    picture without that, too, for whoever verifies them.
    """

    limit: int = 10
    mode: Mode = "copies"
    filter: Filter = field(default_factory=Filter)
    orientations: tuple[str, ...] = ORIENTATIONS
    probes: Probes = 2
    words: str = ""
    verify: bool = True
    pages: bool = False


#: hears what a search did: `ask`, `rank` and `verify` in seconds, and the number of `candidates` of a query
Heard = Callable[[str, float], None]


class Finder:
    """Finds the copies of a picture in an index; whoever measures it sets `heard`.

    Whoever asks from many threads sets `turn`: what computes is done within it.
    """

    def __init__(
        self, index: Index, thresholds: Thresholds | None = None, policy: Policy | None = None
    ) -> None:
        self.index = index
        self.thresholds = thresholds or Thresholds()
        self.policy = policy or Policy()
        self.heard: Heard = lambda what, number: None
        self.turn: AbstractContextManager[object] = nullcontext()

    def search(self, query: Description, request: Request | None = None) -> list[Match]:
        """The matches of one picture, best first."""
        return self.search_many([query], request)[0]

    def search_many(
        self, queries: Sequence[Description], request: Request | None = None
    ) -> list[list[Match]]:
        """The matches of each picture, best first, by one request to the index for them all.

        Raises the errors of `facsimile.search.errors`.
        """
        request = request or Request()
        with self.turn:
            views = [self._views(query, request) for query in queries]
        start = perf_counter()
        candidates = self.index.ask(
            [self._question(query, view, request) for query, view in zip(queries, views, strict=True)]
        )
        same = self.index.ask_bytes(
            [digest for query in queries for digest in _digests(query)], request.filter
        )
        by_words = self._by_words(request)
        self._told("ask", start)
        answers = []
        with self.turn:
            start = perf_counter()
            for query, view, found in zip(queries, views, candidates, strict=True):
                exact = [record for digest in _digests(query) for record in same.get(digest, ())]
                records = {record.key: record for record in [*exact, *found]}
                self.heard("candidates", len(records))
                answers.append(judge(query, view, records.values(), self._reach(request), request.mode))
            start = self._told("rank", start)
            if _verifies(request):
                answers = verified(self.index, queries, answers, self.thresholds, self.policy)
                answers = [accepted(matches, self.thresholds) for matches in answers]
                self._told("verify", start)
        if request.words:
            answers = [fused(matches, by_words) for matches in answers]
        return [
            shown(query, matches[: request.limit], self.thresholds)
            for query, matches in zip(queries, answers, strict=True)
        ]

    def search_words(self, request: Request) -> list[Match]:
        """The records that the words of the request find, best first."""
        return fused([], self._by_words(request))[: request.limit]

    def _told(self, step: str, start: float) -> float:
        """Tell how long a step took; the answer is the start of the next."""
        now = perf_counter()
        self.heard(step, now - start)
        return now

    def _reach(self, request: Request) -> Thresholds:
        return reach(self.thresholds, self.policy) if _verifies(request) else self.thresholds

    def _by_words(self, request: Request) -> list[ImageRecord]:
        if not request.words:
            return []
        return self.index.ask_words(request.words, request.limit + _SPARE, request.filter)

    def _views(self, query: Description, request: Request) -> tuple[Variant, ...]:
        parts = looks_of_panels(query, request.probes) if _verifies(request) else []
        pages = _verifies(request) or (request.pages and request.mode == "copies")
        return tuple(
            Variant(
                look.bits,
                look.terms,
                look.orientation,
                look.trimmed,
                panels=pages and look.orientation in IN_PAGES,
            )
            for look in looks(query, orientations=request.orientations, probes=request.probes)
        ) + tuple(Variant(look.bits, look.terms, look.orientation, part=True) for look in parts)

    def _question(self, query: Description, view: tuple[Variant, ...], request: Request) -> Question:
        wanted = request.limit + _SPARE
        vector = query.vector if self.index.signatures.dims and query.quality else None
        if request.mode == "similar":
            if not self.index.signatures.dims:
                raise InvalidRequest(
                    "this index keeps no vectors, so it cannot be asked for similar pictures"
                )
            view = ()
        nearest = 0 if vector is None else wanted
        return Question(view, self._reach(request).similar, wanted, request.filter, vector, nearest)


def _verifies(request: Request) -> bool:
    return request.verify and request.mode == "copies"


def _digests(query: Description) -> tuple[str, ...]:
    return (query.sha256, query.pixels)
