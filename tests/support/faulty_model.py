"""A model that stands for decoders with faults, for which there is no real picture."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np

from facsimile.imaging.models.base import Model, Options

#: widths of pictures that a child hangs on, or crashes on
HANGS, CRASHES, RAISES = 211, 212, 213


class Faulty(Model):
    """Stands for decoders with faults: the longest side of a picture says which."""

    name = identity = "faulty"
    dims = 4
    preprocess = "nothing"

    def prepare(self, picture: Any) -> Any:
        match max(picture.width, picture.height):
            case 211:
                time.sleep(60)
            case 212:
                os.kill(os.getpid(), signal.SIGSEGV)
            case 213:
                raise ZeroDivisionError("no luck")
        return np.zeros(4, np.float32)

    def _compute(self, prepared: Any) -> Any:
        return np.ones((len(prepared), 4), np.float32)


def faulty() -> Model:
    return Faulty(Options())
