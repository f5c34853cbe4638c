"""A model that stands for decoders with faults, for which there is no real picture."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facsimile.imaging.models.base import Model, ModelOptions
from tests.support.waiting import wait_until

#: widths of pictures that a child hangs on, or crashes on
HANGS, CRASHES, RAISES = 211, 212, 213


class Faulty(Model):
    """Stands for decoders with faults: the longest side of a picture says which.

    The file `mark` is made when a picture begins to hang.
    """

    name = identity = "faulty"
    dims = 4
    preprocess = "nothing"
    mark: Path | None = None

    def prepare(self, picture: Any) -> Any:
        match max(picture.width, picture.height):
            case 211:
                if self.mark:
                    self.mark.touch()
                time.sleep(60)
            case 212:
                os.kill(os.getpid(), signal.SIGSEGV)
            case 213:
                raise ZeroDivisionError("no luck")
        return np.zeros(4, np.float32)

    def _compute(self, prepared: Any) -> Any:
        return np.ones((len(prepared), 4), np.float32)


def faulty(mark: Path | None = None) -> Model:
    """Open the model; child processes are given this function."""
    model = Faulty(ModelOptions())
    model.mark = mark
    return model


class FaultyDecoder:
    """Opens the model in child processes, and tells when one of them hangs."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    @property
    def open_model(self) -> Callable[[], Model]:
        return partial(faulty, self._mark)

    def wait_for_hang(self) -> None:
        wait_until(self._mark.exists, "a picture to hang")


@pytest.fixture
def faulty_decoder(tmp_path: Path) -> FaultyDecoder:
    return FaultyDecoder(tmp_path / "hangs")
