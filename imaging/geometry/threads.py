"""How many threads OpenCV may start in this process."""

from __future__ import annotations

import cv2


def use_one_thread() -> None:
    """Have OpenCV start no threads: for one of several processes that share the cores."""
    cv2.setNumThreads(1)
