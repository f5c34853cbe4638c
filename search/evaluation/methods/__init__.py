"""Every method of image comparison that the evaluation knows, by one interface.

A method is named `NAME[:ARGUMENT][:OPTION=VALUE…]`, for instance `ahash:size=16`,
`torchvision:efficientnet_b0:background=removed`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence

from facsimile.search.errors import InvalidRequest
from facsimile.search.evaluation.methods.base import Method

#: the module and the class of each method: the libraries of one load when it is used
_HOMES = {
    "euclidean": "pixels.Euclidean",
    "ssim": "pixels.Ssim",
    "cosine": "pixels.PixelCosine",
    "ahash": "hashes.AverageHash",
    "ahash-rgb": "hashes.AverageHashRgb",
    "dhash": "hashes.DifferenceHash",
    "whash": "hashes.WaveletHash",
    "phash": "hashes.PerceptualHash",
    "pdq": "hashes.Pdq",
    "blockmean": "hashes.BlockMean",
    "histogram": "global_features.Histogram",
    "gist": "global_features.Gist",
    "goldberg": "goldberg.Goldberg",
    "akaze": "local_features.Akaze",
    "orb": "local_features.Orb",
    "sift": "local_features.Sift",
    "surf": "local_features.Surf",
    "brisk": "local_features.Brisk",
    "augnet": "networks.AugNetMethod",
    "torchvision": "networks.TorchVisionMethod",
    "torchscript": "networks.TorchScriptMethod",
    "facsimile-hash": "product.FacsimileHash",
    "facsimile-vector": "product.FacsimileVector",
    "facsimile": "product.WholeProduct",
}

NAMES = tuple(_HOMES)

#: what is evaluated unless the caller chooses: all that need no file
DEFAULT_METHODS = tuple(
    "torchvision:efficientnet_b0" if name == "torchvision" else name
    for name in NAMES
    if name != "torchscript"
)

_OPTION = re.compile(r"([a-z]+)=([^:=]*)")

#: methods that take an argument beside their options
_WITH_ARGUMENT = ("torchvision", "torchscript")


def open_method(spec: str) -> Method:
    """The method of this name, with its options. Raises InvalidRequest for an unknown name or option, and
    MethodUnavailable where a library or a file is missing."""
    name, argument, options = parse(spec)
    module, _, kind = _HOMES[name].partition(".")
    home = importlib.import_module(f"{__name__}.{module}")
    method: Method = getattr(home, kind)(spec, argument, options)
    return method


def parse(spec: str) -> tuple[str, str, dict[str, str]]:
    """The name, the argument and the options of a method. Raises InvalidRequest for an unknown name."""
    name, *parts = spec.split(":")
    if name not in _HOMES:
        raise InvalidRequest(f"there is no method {name!r}; known are {', '.join(NAMES)}")
    options = {}
    while parts and (found := _OPTION.fullmatch(parts[-1])):
        options[found[1]] = found[2]
        parts.pop()
    if parts and name not in _WITH_ARGUMENT:
        raise InvalidRequest(f"the method {name} takes options as {name}:OPTION=VALUE, not {parts[0]!r}")
    return name, ":".join(parts), options


def chosen_methods(names: Sequence[str]) -> list[str]:
    """The methods of a list whose entries may hold several, with commas; the default ones if it is empty.
    Raises InvalidRequest for an unknown name."""
    specs = [spec.strip() for entry in names for spec in entry.split(",") if spec.strip()]
    for spec in specs:
        parse(spec)
    return list(dict.fromkeys(specs)) or list(DEFAULT_METHODS)
