"""Networks of others: AugNet, torchvision's, and those saved as TorchScript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from facsimile.imaging.decode import DecodedImage
from facsimile.imaging.errors import ModelError
from facsimile.imaging.models import model
from facsimile.imaging.models.base import Model
from facsimile.search.errors import InvalidRequest, MethodUnavailable
from facsimile.search.evaluation.methods.base import VectorMethod
from facsimile.search.evaluation.picture import ChangedPicture, EvaluationPicture


class Network(VectorMethod):
    """Vectors of a network of `facsimile.imaging.models`, at length 1."""

    sampled = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        try:
            self._model = self._load()
        except ModelError as error:
            raise MethodUnavailable(str(error)) from error

    def _load(self) -> Model:
        return model(self.spec.partition(":")[0])

    def compute(self, pictures: Sequence[EvaluationPicture]) -> dict[str, NDArray[Any]]:
        prepared = [self._model.prepare(_decoded(self._prepared(picture))) for picture in pictures]
        return {"vector": self._model.vectors(prepared)}

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        return {"vector": self._model.vectors([self._model.prepare(_decoded(picture))])[0]}


class AugNetMethod(Network):
    """768 values of a ResNet-50 trained without labels, compared by Euclidean distance, as imgsim does."""

    name = "augnet"
    paper = "M. Chen, Y. Wang, AugNet: End-to-End Unsupervised Visual Representation Learning, 2021"
    unit = "Euclidean distance of unit vectors"
    direction = "distance"


class TorchVisionMethod(Network):
    """The features of the last convolution of a classification network, averaged over the picture."""

    name = "torchvision"
    paper = "torchvision; for efficientnet_b0 M. Tan, Q. V. Le, EfficientNet, ICML 2019"

    def _load(self) -> Model:
        if not self.argument:
            raise InvalidRequest("the method torchvision needs a network: torchvision:efficientnet_b0")
        from facsimile.imaging.models.pytorch import weights_are_cached

        if weights_are_cached(self.argument):
            return model(f"torchvision:{self.argument}")
        self.note = "random weights: torchvision has none of this network in its cache"
        return model(f"torchvision:{self.argument.partition(':')[0]}:none")


class TorchScriptMethod(Network):
    """A network saved as TorchScript, such as those of SSCD."""

    name = "torchscript"
    paper = "E. Pizzi and others, A Self-Supervised Descriptor for Image Copy Detection, CVPR 2022"

    def _load(self) -> Model:
        if not self.argument:
            raise InvalidRequest("the method torchscript needs a file: torchscript:FILE")
        return model(f"torchscript:{self.argument}")


def _decoded(picture: EvaluationPicture) -> DecodedImage:
    """What models prepare: a decoded picture, with the pixels of a changed one."""
    if not isinstance(picture, ChangedPicture):
        return picture.decoded
    height, width = picture.rgb.shape[:2]
    return DecodedImage(width, height, "PNG", picture.image, _as_stored=False)
