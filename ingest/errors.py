"""Errors of reading sources and ingesting images.

FacsimileError
└── SourceError                   an image, or the list of images, cannot be read
    ├── SourceNotFound            there is nothing of this name
    ├── NothingFound              the source exists and holds no image
    ├── SourceUnreadable          no permission, not a file, a storage service that fails
    ├── SourceNotAllowed          an address or a scheme that is not allowed
    ├── SourceTooLarge            more bytes than the limit
    ├── FetchUnavailable          the server or the network fails at present (transient)
    │   └── FetchTimeout          the server took longer than the limit (transient)
    ├── FetchRejected             the server refuses permanently, or its answer is invalid
    ├── ManifestError             a list of images, or a row of it, that cannot be parsed
    ├── MessageError              a message of another service that cannot be parsed
    ├── ArchiveError              an archive, or a member of it, that cannot be read
    ├── ActionRefused             a file that is stored more than once is left as it is
    ├── DecoderCrashed            reading this image ended the process that read it
    ├── DecoderTimeout            reading this image took longer than the limit
    └── DecoderBusy               too many images are being read at present (transient)
"""

from facsimile.imaging.errors import FacsimileError


class SourceError(FacsimileError):
    """An image, or the list of images, cannot be read."""


class SourceNotFound(SourceError):
    """There is nothing of this name."""

    exit_code = 2


class NothingFound(SourceError):
    """The source exists and holds no image."""

    exit_code = 2


class SourceUnreadable(SourceError):
    """The source exists and cannot be read: no permission, not a file, a storage service that fails."""


class SourceNotAllowed(SourceError):
    """The address or its scheme is not allowed here."""


class SourceTooLarge(SourceError):
    """There are more bytes than the limit."""


class ActionRefused(SourceError):
    """A file that is stored more than once is left as it is."""


class FetchUnavailable(SourceError):
    """The server, or the network, fails at present."""

    transient = True
    exit_code = 3

    #: seconds that the server asks to wait
    retry_after = 0.0


class FetchTimeout(FetchUnavailable):
    """The server took longer than the limit."""


class FetchRejected(SourceError):
    """The server refuses this image permanently, or its answer is invalid."""


class ManifestError(SourceError):
    """A list of images, or one row of it, cannot be parsed."""

    exit_code = 2


class MessageError(SourceError):
    """A message of another service cannot be parsed."""

    exit_code = 2


class ArchiveError(SourceError):
    """An archive, or one member of it, cannot be read."""


class DecoderCrashed(SourceError):
    """Reading this image ended the process that read it."""


class DecoderTimeout(SourceError):
    """Reading this image took longer than the limit."""


class DecoderBusy(SourceError):
    """Too many images are being read at present."""

    transient = True
