"""The forms in which a program gives images, brought to two: their bytes, or the place where they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from facsimile.imaging.errors import FacsimileError, NotAnImage
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.imaging.decode.encoding import Picture

#: an image: its bytes, an open binary file, a path, an http(s) or fsspec URL, `id:ID` for a stored one, an
#: image of Pillow, or an array of numpy (uint8, [height, width] or [height, width, 3] in RGB order)
ImageInput: TypeAlias = "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | Picture"

#: where images are: a path, a glob or a URL, or several of them
SourceInput: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"


def places(sources: Iterable[SourceInput]) -> Iterator[str]:
    """Each source as text, also those given as a list. Raises InvalidRequest for what is no source."""
    for source in sources:
        if isinstance(source, str | os.PathLike):
            yield os.fsdecode(source)
        elif isinstance(source, Iterable) and not isinstance(source, bytes | bytearray | memoryview):
            yield from places(source)
        else:
            kind = type(source).__name__
            raise InvalidRequest(f"a source is a path, a URL or a list of them, not {kind}")


def bytes_or_place(image: ImageInput) -> bytes | str:
    """The bytes of an image that is in memory or in an open file; else where it is.

    Raises InvalidRequest for what is no image, and NotAnImage for an array that is no picture.
    """
    match image:
        case bytes():
            return image
        case bytearray() | memoryview():
            return bytes(image)
        case str() | os.PathLike():
            return os.fsdecode(image)
    if read := getattr(image, "read", None):
        data = read()
        if isinstance(data, bytes):
            return data
        raise InvalidRequest("the file is open as text; open it in binary mode (rb)")
    # neither is loaded for a program that has no such objects
    forms = (("PIL.Image", "Image"), ("numpy", "ndarray"))
    if any(
        isinstance(image, getattr(sys.modules[name], form)) for name, form in forms if name in sys.modules
    ):
        from facsimile.imaging.decode.encoding import encode

        return encode(image)  # type: ignore[arg-type]
    kind = type(image).__name__
    raise InvalidRequest(
        f"an image is bytes, a path, a URL, an open file, a Pillow image or an array, not {kind}"
    )


def bytes_place_or_error(image: ImageInput) -> bytes | str | FacsimileError:
    """As `bytes_or_place`, for one of several images: what is no image does not end the others."""
    try:
        return bytes_or_place(image)
    except (InvalidRequest, NotAnImage) as error:
        return error


def several(images: Sequence[ImageInput] | ImageInput) -> Sequence[ImageInput]:
    """Several images, where one is taken for a list of one."""
    if isinstance(images, Sequence) and not isinstance(images, bytes | bytearray | memoryview | str):
        return images
    return [images]
