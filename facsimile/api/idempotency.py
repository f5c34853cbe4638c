"""`Idempotency-Key`: a write that is sent again is answered again, and not done again, for a day."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.responses import JSONResponse

from facsimile.api.auth import Caller
from facsimile.api.problems import IN_PROGRESS, KEY_REUSED, Problem
from facsimile.api.stages import ServiceStages
from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State

KIND = "idempotency"

#: for how long an answer is kept, and how long a writer that says nothing is believed to be at work, in ms
KEPT = 24 * 3600 * 1000
AT_WORK = 120 * 1000

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="any text; the same write under it is done once a day"),
]

#: does the write: its status, its body as JSON, and where its result is
Writing = Callable[[], Awaitable[tuple[int, Any, str]]]


async def once(
    request: Request, caller: Caller, stages: ServiceStages, key: str | None, what: Any, write: Writing
) -> Response:
    """The answer of a write that is done at most once under its key, if it has one.

    `what` is the request as JSON, which has to be the same each time. A write that failed may be tried again;
    one whose client goes away is finished all the same. Raises Problem: 409 while the first is at work, 422
    where the key came with something else.
    """
    return await asyncio.shield(asyncio.ensure_future(_once(request, caller, stages, key, what, write)))


async def _once(
    request: Request, caller: Caller, stages: ServiceStages, key: str | None, what: Any, write: Writing
) -> Response:
    if key is None:
        return _response(*await write())
    state = stages.service.index.state
    name = f"{caller.name} {request.method} {request.scope['path']} {key}"
    mark = _digest(json.dumps(what, sort_keys=True).encode())
    began = Entry(
        kind=KIND,
        id=_digest(name.encode()),
        numbers={"at": _now()},
        body={"mark": mark, "answer": None},
    )
    taken = await stages.ask(_take, state, began)
    if answer := taken.body["answer"]:
        response = _response(*answer)
        response.headers["Idempotency-Replayed"] = "true"
        return response
    try:
        answer = await write()
    except BaseException:
        await stages.ask(state.delete, [began.ref])
        raise
    done = taken.replaced(numbers={"at": _now()}, body={"mark": mark, "answer": list(answer)})
    await stages.ask(state.put, [done])
    return _response(*answer)


def _take(state: State, began: Entry) -> Entry:
    """The entry under which we may write, or the one that holds the answer already."""
    ours = state.put([began])[0]
    if ours is not None:
        return ours
    before = state.get([began.ref]).get(began.ref)
    if before is None:
        raise Problem(IN_PROGRESS)
    old = before.number("at") < _now() - KEPT
    if not old and before.body["mark"] != began.body["mark"]:
        raise Problem(KEY_REUSED)
    if not old and before.body["answer"]:
        return before
    if not old and before.number("at") >= _now() - AT_WORK:
        raise Problem(IN_PROGRESS)
    ours = state.put([began.replaced(version=before.version)])[0]  # whoever began it died over it
    if ours is None:
        raise Problem(IN_PROGRESS)
    return ours


def sweep(state: State) -> None:
    """Forget the answers that have been kept for long enough."""
    old = EntryFilter(kind=KIND, between={"at": (None, _now() - KEPT)})
    while refs := [Ref(KIND, entry.id) for entry in state.find(old).entries]:
        state.delete(refs)
        state.refresh()


def _response(status: int, body: Any, location: str) -> Response:
    headers = {"Location": location} if location else {}
    if status == 204:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _now() -> int:
    return time.time_ns() // 1_000_000
