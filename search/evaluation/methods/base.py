"""What a method of image comparison is. Policy lives here once; a method fills in what is abstract."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.distance import hamming
from facsimile.search.errors import InvalidRequest, MethodUnavailable
from facsimile.search.evaluation.picture import EvaluationPicture, limited

#: descriptors of several pictures: named arrays with one row for each picture
Descriptors = Mapping[str, NDArray[Any]]

#: whether small or large values of a method mean that two pictures are alike
Direction = Literal["distance", "similarity"]


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a method. `choices` lists the allowed values; integers if it is a range."""

    default: str
    choices: tuple[str, ...] | range
    meaning: str

    def parse(self, method: str, name: str, value: str) -> str:
        """The value, if it is allowed. Raises InvalidRequest."""
        if isinstance(self.choices, range):
            if value.isdecimal() and int(value) in self.choices:
                return str(int(value))
            allowed = f"{self.choices[0]} to {self.choices[-1]}"
        else:
            if value in self.choices:
                return value
            allowed = " or ".join(self.choices)
        raise InvalidRequest(f"the option {name} of the method {method} must be {allowed}, not {value!r}")


#: share of the squares of two rows below which their difference is a rounding error
_ROUNDING = 1e-12

#: options of every method that compares pixels
COMMON_OPTIONS: Mapping[str, Option] = {
    "background": Option("kept", ("kept", "removed"), "remove the background by GrabCut first"),
    "side": Option("0", range(4097), "scale the longer side to at most this many pixels first; 0: do not"),
}


class Method(ABC):
    """One way to compare pictures.

    `unit` is that of the values of pairs, `direction` says whether small or large values mean alike, `paper`
    is the source. A `sampled` method is too slow for every query and gets a sample. `library` is a module
    that it needs beyond the requirements of Facsimile, `install` what brings it.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    unit: ClassVar[str]
    direction: ClassVar[Direction] = "distance"
    sampled: ClassVar[bool] = False
    library: ClassVar[str] = ""
    install: ClassVar[str] = "pip install 'facsimile[evaluate]'"
    options: ClassVar[Mapping[str, Option]] = {}
    common_options: ClassVar[Mapping[str, Option]] = COMMON_OPTIONS

    #: what a user should know about this instance, such as random weights
    note: str = ""

    def __init__(self, spec: str, argument: str, chosen: Mapping[str, str]) -> None:
        known = {**self.common_options, **self.options}
        if unknown := sorted(chosen.keys() - known.keys()):
            there = ", ".join(sorted(known)) or "none"
            raise InvalidRequest(f"the method {self.name} has no option {unknown[0]!r}; it has: {there}")
        self.spec = spec
        self.argument = argument
        self.chosen = {name: option.default for name, option in known.items()}
        self.chosen |= {name: known[name].parse(self.name, name, value) for name, value in chosen.items()}
        if self.library:
            self._library = self._imported(self.library)

    def _imported(self, module: str) -> Any:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise MethodUnavailable(f"it needs {module} ({error}): {self.install}") from error

    def number(self, option: str) -> int:
        """The value of an option that is an integer."""
        return int(self.chosen[option])


class DescriptorMethod(Method):
    """A method that computes descriptors of single pictures and compares those of two."""

    def compute(self, pictures: Sequence[EvaluationPicture]) -> dict[str, NDArray[Any]]:
        """The descriptors of pictures: named arrays with one row for each picture."""
        rows = [self._describe(self._prepared(picture)) for picture in pictures]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _prepared(self, picture: EvaluationPicture) -> EvaluationPicture:
        side = int(self.chosen.get("side", "0"))
        picture = limited(picture, side) if side else picture
        if self.chosen.get("background") == "removed":
            from facsimile.search.evaluation.methods.background import without_background

            picture = without_background(picture)
        return picture

    @abstractmethod
    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        """The descriptors of one picture; arrays of the same shapes for every picture."""

    @abstractmethod
    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        """Every query compared with every reference: [queries, references], in `unit`."""

    def bytes(self, descriptors: Descriptors) -> float:
        """Mean size of the descriptors of one picture in bytes."""
        return sum(array.nbytes / len(array) for array in descriptors.values())


class HashMethod(DescriptorMethod):
    """A method whose descriptors are `bits`, packed into bytes."""

    unit = "bits that differ"

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        return {"bits": np.packbits(np.asarray(self._bits(picture), bool).ravel())}

    @abstractmethod
    def _bits(self, picture: EvaluationPicture) -> NDArray[Any]:
        """The hash as truth values, of any shape."""

    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        return np.stack([hamming(bits, references["bits"]) for bits in queries["bits"]]).astype(np.float32)


class VectorMethod(DescriptorMethod):
    """A method whose descriptors are a `vector`, compared by cosine or by Euclidean distance."""

    unit = "cosine"
    direction: ClassVar[Direction] = "similarity"

    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        first, second = queries["vector"].astype(np.float32), references["vector"].astype(np.float32)
        if self.unit == "cosine":
            return _unit(first) @ _unit(second).T
        return euclidean(first, second)


def euclidean(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances of the rows of two arrays [N, D] and [M, D]: [N, M]."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    norms = (one * one).sum(axis=1)[:, None] + (other * other).sum(axis=1)
    squares = norms - 2 * one @ other.T
    squares[squares < _ROUNDING * norms] = 0  # equal rows are at distance 0
    return np.asarray(np.sqrt(squares), np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit
