"""Load over HTTP/1.1 on plain sockets: little work of its own, so that what is measured is the server's.

Used by `benchmarks/api_load.py`. Closed: so many clients, each asks again once it was answered. Open:
requests come at a rate whatever the server does, and a wait counts from the moment at which each was due.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

#: seconds after which an answer counts as missing
PATIENCE = 60.0


@dataclass(slots=True)
class Answers:
    """What came back: milliseconds by status (0: no answer), and how long the whole took in seconds."""

    times: dict[int, list[float]] = field(default_factory=dict)
    without_retry_after: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, status: int, milliseconds: float, retry: bool) -> None:
        self.times.setdefault(status, []).append(milliseconds)
        self.without_retry_after += status in (429, 503) and not retry

    @classmethod
    def joined(cls, some: Sequence[Answers]) -> Answers:
        """Those of several rounds as one."""
        joined = cls()
        for each in some:
            for status, times in each.times.items():
                joined.times.setdefault(status, []).extend(times)
            joined.without_retry_after += each.without_retry_after
            joined.faults += each.faults
            joined.seconds += each.seconds
        return joined

    @property
    def others(self) -> int:
        """How many were answered with another status than 200, or not at all."""
        return sum(len(times) for status, times in self.times.items() if status != 200)

    @property
    def rate(self) -> float:
        """Requests a second that were answered with 200."""
        return len(self.times.get(200, [])) / self.seconds

    def percentiles(self, *statuses: int) -> tuple[float, float, float]:
        """p50, p95 and p99 in milliseconds."""
        times = [each for status in statuses for each in self.times.get(status, [])]
        p50, p95, p99 = np.percentile(times, (50, 95, 99)) if times else (np.nan,) * 3
        return float(p50), float(p95), float(p99)


class Connection:
    """One connection that is kept open; the server may close it after an answer."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bool]:
        """The status of the answer, and whether it says when to come back."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        fields = dict(line.partition(": ")[::2] for line in head.split("\r\n")[1:])
        await reader.readexactly(int(fields["content-length"]))
        if fields.get("connection") == "close":
            self.close()
        return int(head.split(" ", 2)[1]), "retry-after" in fields

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


async def _asked(connection: Connection, request: bytes, due: float, answers: Answers) -> None:
    status, retry = 0, False
    try:
        async with asyncio.timeout(PATIENCE):
            status, retry = await connection.ask(request)
    except (OSError, EOFError, TimeoutError) as error:
        answers.faults[type(error).__name__] += 1
        connection.close()
    answers.add(status, (time.perf_counter() - due) * 1000, retry)


async def closed(place: tuple[str, int], requests: Sequence[bytes], clients: int, seconds: float) -> Answers:
    """So many clients, each with one request at a time."""
    answers, turns = Answers(), itertools.cycle(requests)
    began = time.perf_counter()

    async def client() -> None:
        connection = Connection(*place)
        while (now := time.perf_counter()) < began + seconds:
            await _asked(connection, next(turns), now, answers)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    answers.seconds = time.perf_counter() - began
    return answers


async def opened(place: tuple[str, int], requests: Sequence[bytes], rate: float, seconds: float) -> Answers:
    """So many requests a second, on as many connections as are needed; the slow ones are waited for."""
    answers, turns = Answers(), itertools.cycle(requests)
    idle: list[Connection] = []

    async def one(due: float) -> None:
        connection = idle.pop() if idle else Connection(*place)
        await _asked(connection, next(turns), due, answers)
        idle.append(connection)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as asking:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asking.create_task(one(due))
        sent = time.perf_counter()
    for connection in idle:
        connection.close()
    answers.seconds = sent - began
    return answers


def posted(path: str, kind: str, body: bytes) -> bytes:
    """The bytes of a POST request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def uploaded(path: str, image: bytes) -> bytes:
    """The bytes of a POST request with a form that holds one image."""
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    return posted(path, "multipart/form-data; boundary=b", part + image + b"\r\n--b--\r\n")
