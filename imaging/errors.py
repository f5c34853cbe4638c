"""The root of every error of the project, and the errors of reading one image and of models.

FacsimileError                    anything that we report with one sentence; `exit_code` for the command line
└── ImageError                    these bytes give no signature; permanent, never retried
    ├── EmptyImage                zero bytes
    ├── NotAnImage                no format that can be decoded here
    ├── BrokenImage               a known format, but damaged or cut short
    └── ImageTooLarge             over the limit on bytes or pixels
└── ModelError                    a model cannot do what was asked
    ├── ModelUnknown              there is no model of this name
    └── ModelUnavailable          something that it needs is missing here
"""


class FacsimileError(Exception):
    """An error with a sentence for people; the message says what to do where there is something to do."""

    #: what the command line exits with when this error ends a command
    exit_code = 1

    #: whether the same call may succeed later without a change by the caller
    transient = False


class ImageError(FacsimileError):
    """These bytes give no signature."""


class EmptyImage(ImageError):
    """The image has zero bytes."""


class NotAnImage(ImageError):
    """The bytes are in no image format that can be decoded here."""


class BrokenImage(ImageError):
    """The bytes begin like an image but are damaged or cut short."""


class ImageTooLarge(ImageError):
    """The image is over the limit on bytes or on pixels."""


class ModelError(FacsimileError):
    """A model cannot do what was asked."""

    exit_code = 2


class ModelUnknown(ModelError):
    """There is no model of this name; the message says which ones there are."""


class ModelUnavailable(ModelError):
    """Something that the model needs is missing here: a library, its weights, a device."""
