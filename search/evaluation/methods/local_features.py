"""Local features matched pair by pair: how many of two pictures' features agree."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.search.errors import MethodUnavailable
from facsimile.search.evaluation.methods.base import (
    DescriptorMethod,
    Descriptors,
    Option,
)
from facsimile.search.evaluation.picture import EvaluationPicture, limited

#: a feature matches its nearest one if that is nearer than this share of the distance of the second nearest
_RATIO = 0.75

#: longest side of the raster that features are found on
_SIDE = 320

#: matches that a homography needs, and its tolerance in pixels
_LEAST, _TOLERANCE = 5, 4.0

_ROUNDS = 500

cv2.setNumThreads(1)  # the evaluation runs in processes


class LocalFeatures(DescriptorMethod):
    """A detector of points with descriptors. The similarity is the number of matches by Lowe's ratio test, or
    of those that agree on one homography (RANSAC)."""

    unit = "inliers"
    direction = "similarity"
    sampled = True
    options: ClassVar[Mapping[str, Option]] = {
        "count": Option("inliers", ("inliers", "matches"), "what is counted"),
        "features": Option("250", range(20, 5001), "features of one picture at most, the strongest"),
    }
    binary: ClassVar[bool] = True
    length: ClassVar[int]

    @abstractmethod
    def _features(self, luma: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Points [N, 2] in pixels and descriptors [N, length], the strongest first."""

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        most = self.number("features")
        points, values = self._features(np.ascontiguousarray(limited(picture, _SIDE).luma))
        points, values = points[:most], values[:most]
        places = np.zeros((most, 2), np.float32)
        kept = np.zeros((most, self.length), np.uint8 if self.binary else np.float32)
        places[: len(points)], kept[: len(points)] = points, values
        return {"count": np.array(len(points)), "points": places, "values": kept}

    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        second = [_one(references, place) for place in range(len(references["count"]))]
        result = np.zeros((len(queries["count"]), len(second)), np.float32)
        for row in range(len(result)):
            first = _one(queries, row)
            result[row] = [self._agreeing(first, other) for other in second]
        return result

    def _agreeing(self, first: tuple[Any, Any], second: tuple[Any, Any]) -> int:
        if min(len(first[0]), len(second[0])) < 2:
            return 0
        norm = cv2.NORM_HAMMING if self.binary else cv2.NORM_L2
        distance, nearest = cv2.batchDistance(
            first[1], second[1], cv2.CV_32S if self.binary else cv2.CV_32F, normType=norm, K=2
        )
        rows = np.flatnonzero(distance[:, 0] < _RATIO * distance[:, 1])
        if self.chosen["count"] == "matches":
            return len(rows)
        columns, at = np.unique(nearest[rows, 0], return_index=True)
        if len(columns) < _LEAST:
            return 0
        cv2.setRNGSeed(0)
        _matrix, kept = cv2.findHomography(
            first[0][rows[at]], second[0][columns], cv2.RANSAC, _TOLERANCE, maxIters=_ROUNDS
        )
        return 0 if kept is None else int(kept.sum())

    def bytes(self, descriptors: Descriptors) -> float:
        """Mean size of the features that there are: coordinates in 16 bits and descriptors."""
        one = 4 + descriptors["values"].itemsize * self.length
        return float(descriptors["count"].mean()) * one


def _one(descriptors: Descriptors, place: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
    count = int(descriptors["count"][place])
    return descriptors["points"][place, :count], descriptors["values"][place, :count]


class OpenCvFeatures(LocalFeatures):
    """A detector of OpenCV."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._detector = self._create()

    @abstractmethod
    def _create(self) -> Any: ...

    def _features(self, luma: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[Any]]:
        points, values = self._detector.detectAndCompute(luma, None)
        if values is None or not len(values):
            return np.empty((0, 2), np.float32), np.empty((0, self.length), np.uint8)
        order = np.argsort([-point.response for point in points], kind="stable")
        return np.array([point.pt for point in points], np.float32)[order], values[order]


class Orb(OpenCvFeatures):
    """Oriented FAST corners with rotated BRIEF descriptors."""

    name = "orb"
    paper = "E. Rublee, V. Rabaud, K. Konolige, G. Bradski, ORB, ICCV 2011"
    length = 32

    def _create(self) -> Any:
        return cv2.ORB.create(self.number("features"))


class Sift(OpenCvFeatures):
    """Extrema of differences of Gaussians with histograms of gradients."""

    name = "sift"
    paper = "D. G. Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 2004"
    binary = False
    length = 128

    def _create(self) -> Any:
        return cv2.SIFT.create(self.number("features"))


class ContribFeatures(OpenCvFeatures):
    """A detector that OpenCV 5 keeps among its contributed modules."""

    def _contributed(self, name: str) -> Any:
        module = getattr(cv2, "xfeatures2d", None)
        if module is None or not hasattr(module, name):
            raise MethodUnavailable(
                f"it needs OpenCV with its contributed modules: pip install --no-deps --force-reinstall "
                f"opencv-contrib-python-headless=={cv2.__version__}.*"
            )
        return getattr(module, name).create()


class Akaze(ContribFeatures):
    """Points of a nonlinear scale space with binary descriptors."""

    name = "akaze"
    paper = "P. F. Alcantarilla, J. Nuevo, A. Bartoli, Fast Explicit Diffusion, BMVC 2013"
    length = 61

    def _create(self) -> Any:
        return self._contributed("AKAZE")


class Brisk(ContribFeatures):
    """Corners in a scale pyramid with binary descriptors."""

    name = "brisk"
    paper = "S. Leutenegger, M. Chli, R. Y. Siegwart, BRISK, ICCV 2011"
    length = 64

    def _create(self) -> Any:
        return self._contributed("BRISK")


class Surf(LocalFeatures):
    """Points of a box-filtered Hessian with sums of Haar wavelets, by the library mahotas."""

    name = "surf"
    paper = "H. Bay, A. Ess, T. Tuytelaars, L. Van Gool, SURF, CVIU 2008"
    library = "mahotas.features.surf"
    binary = False
    length = 64

    def _features(self, luma: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[Any]]:
        if min(luma.shape) < 32:
            return np.empty((0, 2), np.float32), np.empty((0, self.length), np.float32)
        found = self._library.surf(luma, nr_octaves=3, max_points=4 * self.number("features"))
        found = found[np.argsort(-found[:, 3], kind="stable")]
        values = found[:, 6:].astype(np.float32)
        return found[:, 1::-1].astype(np.float32), np.nan_to_num(values)
