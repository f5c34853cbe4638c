"""Perceptual hashes of the library ImageHash, PDQ by its authors' code, and the block mean hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsimile.search.evaluation.methods.base import HashMethod, Option
from facsimile.search.evaluation.picture import EvaluationPicture

_SIZE = Option("8", range(2, 65), "side of the square of bits")


class AverageHash(HashMethod):
    """Whether each cell of a small picture is brighter than their mean."""

    name = "ahash"
    paper = "N. Krawetz, Looks Like It, hackerfactor.com 2011"
    library = "imagehash"
    options: ClassVar[Mapping[str, Option]] = {"size": _SIZE}

    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        return np.asarray(self._library.average_hash(picture.image, self.number("size")).hash)


class AverageHashRgb(AverageHash):
    """The average hash of each channel, one after the other."""

    name = "ahash-rgb"

    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        size = self.number("size")
        channels = picture.image.split()
        return np.stack([self._library.average_hash(channel, size).hash for channel in channels])


class DifferenceHash(AverageHash):
    """Whether each cell of a small picture is brighter than its left neighbour."""

    name = "dhash"
    paper = "N. Krawetz, Kind of Like That, hackerfactor.com 2013"

    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        return np.asarray(self._library.dhash(picture.image, self.number("size")).hash)


class WaveletHash(AverageHash):
    """The low frequencies of a Haar wavelet transform around their median."""

    name = "whash"
    paper = "D. Petrov, Wavelet image hash in Python, fullstackml.com 2016"
    options: ClassVar[Mapping[str, Option]] = {
        "size": Option("8", ("2", "4", "8", "16", "32"), _SIZE.meaning)
    }

    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        return np.asarray(self._library.whash(picture.image, self.number("size")).hash)


class PerceptualHash(AverageHash):
    """The low frequencies of a discrete cosine transform around their median."""

    name = "phash"
    paper = "C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010"

    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        return np.asarray(self._library.phash(picture.image, self.number("size")).hash)


class Pdq(HashMethod):
    """The hash of 256 bits by which platforms exchange lists of known pictures, upright."""

    name = "pdq"
    paper = "Facebook, The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm, 2019"
    library = "pdqhash"

    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        bits, _quality = self._library.compute(np.ascontiguousarray(picture.rgb))
        return np.asarray(bits)


class BlockMean(HashMethod):
    """Whether the mean of each block of the picture is above the median of all blocks."""

    name = "blockmean"
    paper = "B. Yang, F. Gu, X. Niu, Block Mean Value Based Image Perceptual Hashing, IIH-MSP 2006"
    options: ClassVar[Mapping[str, Option]] = {"size": Option("16", range(2, 65), "blocks in each direction")}

    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        size = self.number("size")
        means = picture.scaled(size, size)
        return np.asarray(means > np.median(means))
