"""The root of every error of the project, and the errors of reading an image and of models.

FacsimileError                    every error that is reported by one sentence, with an `exit_code`
├── ImageError                    no signature can be computed from these bytes; permanent
│   ├── EmptyImage                zero bytes
│   ├── NotAnImage                not in a format that can be decoded here
│   ├── BrokenImage               a known format, but damaged or truncated
│   └── ImageTooLarge             over the limit on bytes or pixels
└── ModelError                    a model cannot do what was asked
    ├── ModelNotFound             there is no model of this name
    └── ModelUnavailable          a library, weights file or device that it needs is missing
"""


class FacsimileError(Exception):
    """An error with one sentence that says what is wrong and, where possible, what to do."""

    #: what the command line exits with when this error ends a command
    exit_code = 1

    #: whether the same call may succeed later without a change by the caller
    transient = False


class ImageError(FacsimileError):
    """No signature can be computed from these bytes."""


class EmptyImage(ImageError):
    """The image has zero bytes."""


class NotAnImage(ImageError):
    """The bytes are not in an image format that can be decoded here."""


class BrokenImage(ImageError):
    """The bytes begin like an image but are damaged or truncated."""


class ImageTooLarge(ImageError):
    """The image is over the limit on bytes or on pixels."""


class ModelError(FacsimileError):
    """A model cannot do what was asked."""

    exit_code = 2


class ModelNotFound(ModelError):
    """There is no model of this name; the message lists the known ones."""


class ModelUnavailable(ModelError):
    """A library, weights file or device that the model needs is missing here."""
