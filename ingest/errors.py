"""Errors of bringing images in.

FacsimileError
└── SourceError                   an image, or the list of images, cannot be had
    ├── SourceMissing             there is nothing there
    ├── NothingFound              there is, but no image in it
    ├── SourceUnreadable          no permission, not a file, a storage service that fails
    ├── SourceRefused             an address or a scheme that is not allowed
    ├── SourceTooLarge            more bytes than the limit
    ├── FetchFailed               the server or the way to it fails at present (transient)
    │   └── TooSlow               more time than the limit (transient)
    ├── FetchRejected             the server says no, and will say so again
    ├── ManifestError             a list of images, or a row of it, that cannot be understood
    ├── MessageError              a message of another service that cannot be understood
    ├── ArchiveError              an archive, or a member of it, that cannot be read
    ├── DecoderCrashed            reading this image ended the process that read it
    └── DecoderHung               reading this image took longer than the limit
"""

from facsimile.imaging.errors import FacsimileError


class SourceError(FacsimileError):
    """An image, or the list of images, cannot be had."""


class SourceMissing(SourceError):
    """There is nothing of this name."""

    exit_code = 2


class NothingFound(SourceError):
    """The place exists and holds no image."""

    exit_code = 2


class SourceUnreadable(SourceError):
    """The place exists and cannot be read: no permission, not a file, a storage service that fails."""


class SourceRefused(SourceError):
    """The address or its scheme is not allowed here."""


class SourceTooLarge(SourceError):
    """There are more bytes than the limit."""


class FetchFailed(SourceError):
    """The server, or the way to it, fails at present."""

    transient = True

    #: seconds that the server asks to wait
    retry_after = 0.0


class TooSlow(FetchFailed):
    """The server took longer than the limit."""


class FetchRejected(SourceError):
    """The server answers that it will not give this image."""


class ManifestError(SourceError):
    """A list of images, or one row of it, cannot be understood."""

    exit_code = 2


class MessageError(SourceError):
    """A message of another service cannot be understood."""

    exit_code = 2


class ArchiveError(SourceError):
    """An archive, or one member of it, cannot be read."""


class DecoderCrashed(SourceError):
    """Reading this image ended the process that read it."""


class DecoderHung(SourceError):
    """Reading this image took longer than the limit."""


class DecoderBusy(SourceError):
    """Too many images are being read to read this one to its end."""

    transient = True
