"""Work for many hosts: a share for each, and nothing that waits holds a thread."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from facsimile.ingest.turns import HostPool

PATIENCE = 20.0


def test_a_host_that_is_slow_leaves_the_threads_to_others() -> None:
    pool, over = HostPool(4, 2), threading.Event()
    slow = [pool.submit("slow", lambda: over.wait(PATIENCE)) for _ in range(20)]
    quick = [pool.submit(f"host-{number}", lambda: 7) for number in range(20)]
    assert [each.result(PATIENCE) for each in quick] == [7] * 20
    assert sum(each.running() for each in slow) == 2
    over.set()
    assert all(each.result(PATIENCE) for each in slow)
    pool.close()


def test_what_is_cancelled_while_it_waits_is_never_done() -> None:
    pool, over, done = HostPool(2, 1), threading.Event(), threading.Event()
    first = pool.submit("host", lambda: over.wait(PATIENCE))
    second = pool.submit("host", done.set)
    third = pool.submit("host", lambda: 3)
    assert second.cancel()
    over.set()
    assert third.result(PATIENCE) == 3
    assert first.result(PATIENCE)
    assert not done.is_set()
    pool.close()


def test_an_error_is_its_own_work_s_and_the_next_is_done() -> None:
    pool = HostPool(1, 1)
    failed = pool.submit("host", lambda: 1 // 0)
    after = pool.submit("host", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        failed.result(PATIENCE)
    assert after.result(PATIENCE) == 2
    pool.close()


def test_closing_cancels_what_waits() -> None:
    pool, over, begun = HostPool(1, 1), threading.Event(), threading.Event()
    first = pool.submit("host", lambda: (begun.set(), over.wait(PATIENCE)))
    waiting = pool.submit("host", lambda: 2)
    assert begun.wait(PATIENCE)
    threading.Timer(0.1, over.set).start()
    pool.close()
    assert first.result(0)
    with pytest.raises(CancelledError):
        waiting.result(0)
