"""The messages of libtiff, which it prints to standard error without the name of the file."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import PIL

#: where the wheels of Pillow carry the library, beside the package (Linux) or in it (macOS)
_PLACES = ("../pillow.libs/libtiff*", ".dylibs/libtiff*")


def silence() -> None:
    """Switch the messages off: a file that cannot be read is told by its name, as Pillow's exception.

    A Pillow that was built on another libtiff goes on printing them.
    """
    for place in _PLACES:
        for path in Path(PIL.__file__).parent.glob(place):
            with suppress(OSError, AttributeError):
                library = ctypes.CDLL(str(path))  # the one that Pillow has loaded already
                for handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                    handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
                    handler(None)
