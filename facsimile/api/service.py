"""What the routes are given: an opened index, and the ways to read, fetch and store images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from facsimile.imaging.decode import Limits
from facsimile.imaging.describe import Reading
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import Description
from facsimile.ingest.item import Item, Outcome
from facsimile.search.index.base import Index, Signatures
from facsimile.search.proof import Policy
from facsimile.search.ranking import Thresholds
from facsimile.workers.ledger.dead_letters import DeadLetter

#: reads the signatures of images, the errors of bad ones in their places
DescribeItems = Callable[[Sequence[bytes]], "Sequence[Description | FacsimileError]"]

#: reads images in other processes, up to what remains to be computed; the errors of bad ones in their places
Read = Callable[[Sequence[bytes]], "Sequence[Reading | FacsimileError]"]

#: the bytes behind an address that a stranger gave, to come; raises where it must not or cannot be fetched
Fetch = Callable[[str], Future[bytes]]

#: stores images, given with their bytes and the function that describes them; one outcome for each; raises
#: only where the index as a whole fails
WriteItems = Callable[[Sequence[Item], DescribeItems], Sequence[Outcome]]

#: has images stored later by a queue; the answer is the id of the job
Submit = Callable[[Sequence[Item]], str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What the routes work with; every call of it but `fetch` blocks, and is made in a thread of its stage.

    `limits` are those of reading images here. `model` made the vectors of the index. `stored` asks the index
    anew which signatures it keeps: a reindex may have changed them. `checks` are further services that must
    be there, each by a call that raises a FacsimileError where it is not. `close` ends at once what still
    reads images.
    """

    index: Index
    thresholds: Thresholds
    policy: Policy
    limits: Limits
    model: Model | None
    read: Read
    fetch: Fetch
    write: WriteItems
    stored: Callable[[], Signatures]
    submit: Submit | None = None
    retry: Callable[[Iterable[DeadLetter]], int] | None = None
    checks: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The limits of one process of the API, and who may ask it.

    `threads` read or verify images at a time (and as many more may be read that take long), `connections`
    ask the index, `fetches` of one batch wait for other servers; `line` requests may wait for each of these,
    more are turned away at once; `requests` may be on their way in all, those included whose bodies still
    arrive. `stage_seconds` bounds each stage, `body_seconds` the
    time in which a body must arrive. `buffer_bytes` is what bodies may hold together.
    `rate` is requests a second of one key (0: any number); a batch counts as many as it has images.
    `hosts` are the names that a request may call us by (empty: any), `origins` the foreign web pages that
    may ask (none unless named).
    """

    max_bytes: int = 50_000_000
    max_batch: int = 32
    threads: int = 2
    connections: int = 8
    fetches: int = 8
    line: int = 32
    requests: int = 1000
    stage_seconds: float = 30.0
    body_seconds: float = 30.0
    buffer_bytes: int = 512_000_000
    rate: float = 0.0
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    @property
    def max_body(self) -> int:
        """The largest body in bytes: an image as base64, and the words about it."""
        return self.max_bytes * 4 // 3 + 1_000_000
