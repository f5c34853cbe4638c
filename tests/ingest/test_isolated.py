"""Reading images in child processes: what is slow or crashes costs its own image alone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from facsimile.imaging.describe import Reading, describe_many, describe_readings
from facsimile.imaging.errors import NotAnImage
from facsimile.ingest.errors import DecoderBusy, DecoderCrashed, DecoderTimeout
from facsimile.ingest.isolated import IsolatedReader
from tests.support.faulty_model import CRASHES, HANGS, RAISES, FaultyDecoder, faulty
from tests.support.pictures import NAMES, encoded, photograph

pytestmark = pytest.mark.slow


def picture(longest: int = 200, place: int = 0) -> bytes:
    return encoded(photograph(NAMES[place], longest), "JPEG", quality=90)


@pytest.fixture
def reader(faulty_decoder: FaultyDecoder) -> Iterator[Callable[..., IsolatedReader]]:
    made: list[IsolatedReader] = []

    def make(**options: Any) -> IsolatedReader:
        made.append(
            IsolatedReader(
                **{
                    "processes": 1,
                    "seconds": 3,
                    "batch_seconds": 30,
                    "open_model": faulty_decoder.open_model,
                    **options,
                }
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_child_reads_as_this_process_would(reader):
    datas = [picture(200, 0), b"text", picture(300, 1)]
    found = describe_readings(reader(seconds=60).read(datas), model=faulty())
    here = describe_many(datas, model=faulty())
    assert isinstance(found[1], NotAnImage)
    assert str(found[1]) == str(here[1])
    for one, other in ((found[0], here[0]), (found[2], here[2])):
        assert one.sha256 == other.sha256
        assert one.pixels == other.pixels
        assert one.thumbnail == other.thumbnail
        np.testing.assert_array_equal(one.bits, other.bits)
        np.testing.assert_array_equal(one.vector, other.vector)


def test_an_image_at_fault_fails_alone(reader):
    isolated = reader()
    datas = [picture(CRASHES), picture(), picture(RAISES), picture(HANGS), picture()]
    start = time.monotonic()
    found = isolated.read(datas)
    assert time.monotonic() - start < 20
    kinds = [DecoderCrashed, Reading, DecoderCrashed, DecoderTimeout, Reading]
    assert [type(one) for one in found] == kinds
    assert str(found[0]) == "the decoder crashed on it"
    assert "no luck" in str(found[2])
    assert str(found[3]) == "reading it took longer than 3 seconds"


def test_ordinary_images_are_read_while_others_hang(reader, faulty_decoder):
    isolated = reader(seconds=20, processes=1)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.extend(isolated.read([picture(HANGS)]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    faulty_decoder.wait_for_hang()
    start = time.monotonic()
    for _ in range(3):
        assert isinstance(isolated.read([picture()])[0], Reading)
    assert time.monotonic() - start < 15
    isolated.close()
    for thread in threads:
        thread.join()
    # one had a slow place; what there was none for gave way
    assert any(isinstance(one, DecoderBusy) for one in found)


def test_closing_ends_what_hangs_and_leaves_no_process(reader, faulty_decoder):
    isolated = reader(seconds=60)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(isolated.read([picture(HANGS), picture()])))
    thread.start()
    faulty_decoder.wait_for_hang()
    children = [child.process for child in isolated._all]
    isolated.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [type(one) for one in found] == [DecoderCrashed, DecoderBusy]
    assert not any(child.is_alive() for child in children)


def test_a_child_that_died_while_it_waited_is_replaced(reader):
    isolated = reader(seconds=60)
    assert isinstance(isolated.read([picture()])[0], Reading)
    (child,) = isolated._idle
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.join()
    assert isinstance(isolated.read([picture()])[0], Reading)


def test_an_image_ends_its_process_when_the_parent_is_gone(reader, monkeypatch):
    monkeypatch.setattr("facsimile.ingest.isolated._ORPHANED", 0.0)
    isolated = reader(seconds=1)
    child = isolated._start()
    child.connection.send_bytes(picture(HANGS))
    child.process.join(10)
    assert child.process.exitcode == -signal.SIGALRM
