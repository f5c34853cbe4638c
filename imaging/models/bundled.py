"""Our own network, which comes with the package: a home of onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.decode import DecodedImage
from facsimile.imaging.errors import ModelUnavailable
from facsimile.imaging.models.base import Model

_IDENTITY = "facsimile-1"

WEIGHTS = Path(__file__).parent.parent / "weights" / f"{_IDENTITY}.onnx"

#: "auto" is the processor: the network is small, and its vectors then agree everywhere to the last digits
_PROVIDERS = {
    "auto": "CPUExecutionProvider",
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}


class Bundled(Model):
    """The copy-detection network that `training/` made; see docs/model-card.md.

    Identity and dimensions are known without loading it, so that whoever only opens an index waits for
    nothing, and so is `side`: the graph takes uint8 [batch, 3, side, side]. The rest loads at the first
    vector, not in processes that only prepare pictures.
    """

    name = "facsimile"
    identity = _IDENTITY
    dims = 256
    side = 192

    @property
    def preprocess(self) -> str:
        return f"RGB bytes, squashed to {self.side}x{self.side} by area averages"

    def prepare(self, picture: DecodedImage) -> NDArray[np.uint8]:
        return picture.square(self.side)

    def _compute(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        pixels = np.ascontiguousarray(np.stack(prepared).transpose(0, 3, 1, 2))
        vectors: NDArray[np.float32] = self._session.run(["vector"], {"pixels": pixels})[0]
        return vectors

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        if not WEIGHTS.is_file():
            raise ModelUnavailable(f"{WEIGHTS.name} is missing from this installation of facsimile")
        device = self.options.device
        provider = _PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            raise ModelUnavailable(f"the installed onnxruntime cannot use {device}: choose the device cpu")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.options.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers = list(dict.fromkeys([provider, "CPUExecutionProvider"]))
        return onnxruntime.InferenceSession(WEIGHTS, options, providers=providers)
