"""AugNet, by the package imgsim with its own weights (M. Chen, Y. Wang, "AugNet", 2021).

imgsim brings torch and OpenCV, so it has an environment of its own, which fills the work folder for the
benchmark to read:

    pip install imgsim torch torchvision opencv-python-headless
    python -m benchmarks.accuracy.augnet DATASET --cache CACHE --work WORK
"""

from __future__ import annotations

import argparse
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.descriptor import Arrays, Descriptor, described, milliseconds
from benchmarks.accuracy.pictures import Cast, Files, Seen, held_out


class AugNet(Descriptor):
    """768 values of a ResNet-50, compared by Euclidean distance, as imgsim does."""

    key = "augnet"
    bytes = 3072

    @cached_property
    def _vectorizer(self) -> Any:
        import imgsim
        import torch

        torch.set_num_threads(1)
        return imgsim.Vectorizer()

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        import torch

        blue_first = np.ascontiguousarray(seen.picture.rgb[..., ::-1])  # as OpenCV reads files
        with torch.inference_mode():
            return {"vector": np.asarray(self._vectorizer.vectorize(blue_first), np.float32)}

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        a, b = queries["vector"], index["vector"]
        squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * a @ b.T
        return np.asarray(-np.sqrt(np.maximum(squares, 0)), np.float32)


def part_of(cast: Cast) -> Cast:
    """What AugNet is measured on: at half a second a picture, all of it would take hours."""
    return cast.part(originals=25, index=400, negatives=150)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute the vectors of AugNet for the benchmark.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    cast = part_of(held_out(options.dataset, options.cache))
    files = Files(options.dataset, options.work)
    print(f"{milliseconds(AugNet(), cast.index, files, options.work):.0f} ms", file=sys.stderr)
    for items in (cast.negatives, cast.index, cast.queries):
        described([AugNet()], items, files, options.work)


if __name__ == "__main__":
    main()
