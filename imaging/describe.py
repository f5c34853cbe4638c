"""Compute the signatures of an image: the one function for stored images and queries, so that both agree."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging import bands, phash
from facsimile.imaging.decode import DecodedImage, Limits, decode, thumbnail
from facsimile.imaging.errors import FacsimileError, ImageError
from facsimile.imaging.margins import content_box
from facsimile.imaging.models.base import Model
from facsimile.imaging.orientation import ORIENTATIONS, orient_bits, orient_spectrum
from facsimile.imaging.panels import panels
from facsimile.imaging.record import Description
from facsimile.imaging.regions import Region, regions
from facsimile.imaging.timings import Timings

#: pictures in pages stand upright, or are mirrored
IN_PAGES = ("upright", "flip-horizontal")

#: how many doubtful bits a band a query varies, or all one-bit neighbours
Probes = int | Literal["all"]

#: why an image of a batch was not read
Error = TypeVar("Error", bound=FacsimileError)


@dataclass(frozen=True, slots=True, eq=False)
class HashQuery:
    """One hash of a query image: one of its orientations, whole, trimmed or a panel of it.

    `bits` is 32 uint8. `terms` are band terms, of which a candidate must share one. `orientation` is the turn
    or flip that was applied to the query (see `facsimile.imaging.orientation`), `trimmed` whether flat
    margins were cut before, `part` whether it is the hash of a panel of the query (see
    `facsimile.imaging.panels`) or a region, `panels` whether it is compared with the panels and regions of
    stored images, `wholes` whether with these images themselves.
    """

    bits: NDArray[np.uint8]
    terms: tuple[str, ...] = ()
    orientation: str = "upright"
    trimmed: bool = False
    part: bool = False
    panels: bool = False
    wholes: bool = True


def describe(data: bytes, *, limits: Limits | None = None, model: Model | None = None) -> Description:
    """Compute the description of one image, with a vector if there is a model.

    Raises ImageError for bytes that cannot be decoded, ModelError if the model fails.
    """
    described = describe_many([data], limits=limits, model=model)[0]
    if isinstance(described, ImageError):
        raise described
    return described


def describe_many(
    datas: Sequence[bytes],
    *,
    limits: Limits | None = None,
    model: Model | None = None,
    timings: Timings | None = None,
) -> list[Description | ImageError]:
    """Describe a batch; one that cannot be read has its error in its place, and never ends the batch.

    Each picture is decoded once, for hashes and vector alike. Blank pictures (`quality` 0) have a vector too:
    it distinguishes a black picture from a white one, but does not prove a copy. The seconds of each stage
    are added to `timings`.
    """
    timings = timings or Timings()
    read: list[Reading | ImageError] = []
    for data in datas:
        try:
            read.append(read_image(data, limits=limits, model=model, timings=timings))
        except ImageError as error:
            read.append(error)
    return describe_readings(read, model=model, timings=timings)


def read_image(
    data: bytes, *, limits: Limits | None = None, model: Model | None = None, timings: Timings | None = None
) -> Reading:
    """The first half of `describe`: all that needs the bytes, which may be read in another process.

    Raises ImageError for bytes that cannot be decoded.
    """
    timings = timings or Timings()
    with timings.of("decode"):
        picture = decode(data, limits)
        reading = Reading.of(data, picture)
    if model:
        with timings.of("model"):
            reading = dataclasses.replace(reading, prepared=model.prepare(picture))
    return reading


def describe_readings(
    read: Sequence[Reading | Error], *, model: Model | None = None, timings: Timings | None = None
) -> list[Description | Error]:
    """The second half of `describe`, for a batch; errors stay in their places."""
    timings = timings or Timings()
    readings = [one for one in read if isinstance(one, Reading)]
    lumas = [luma for one in readings for luma in one.lumas]
    if not lumas:
        return [one for one in read if not isinstance(one, Reading)]
    with timings.of("hash"):
        spectra = phash.spectrum(np.stack(lumas))
        signatures = zip(spectra, phash.bits_of(spectra), phash.quality(spectra).tolist(), strict=True)
    vectors: Iterator[_Vector] = repeat(None)
    if model:
        with timings.of("model"):
            vectors = iter(model.vectors([one.prepared for one in readings if one.prepared is not None]))
    return [one.described(signatures, next(vectors)) if isinstance(one, Reading) else one for one in read]


_Signature = tuple[NDArray[np.float32], NDArray[np.uint8], int]
_Vector = NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a batch keeps of one picture until its spectra are computed; `lumas` are the squares of the whole,
    of what lies within its margins where it is `trimmed`, of its middle, and of the pictures in it: panels
    where it is a `page`, else regions; `prepared` is what the model is shown. Small for a picture of any
    size, and can be pickled."""

    sha256: str
    pixels: str
    width: int
    height: int
    format: str
    size: int
    thumbnail: bytes
    trimmed: bool
    page: bool
    lumas: list[NDArray[np.uint8]]
    prepared: NDArray[Any] | None = None

    @classmethod
    def of(cls, data: bytes, picture: DecodedImage) -> Reading:
        box = content_box(picture.luma)
        margins = [picture.luma_square(box)] if box else []
        small = picture.small
        cut_out = [small.luma_square(panel) for panel in panels(small.luma)]
        pictures = cut_out or [region.luma_square() for region, _ in regions(small)]
        return cls(
            sha256=hashlib.sha256(data).hexdigest(),
            pixels=picture.pixels,
            width=picture.width,
            height=picture.height,
            format=picture.format,
            size=len(data),
            thumbnail=thumbnail(picture, data),
            trimmed=box is not None,
            page=bool(cut_out),
            lumas=[picture.luma_square(), *margins, small.luma_square(small.middle), *pictures],
        )

    def described(self, signatures: Iterator[_Signature], vector: _Vector) -> Description:
        """Takes as many signatures as there are lumas."""
        spectrum, bits, quality = next(signatures)
        trimmed = next(signatures) if self.trimmed else None
        if trimmed and trimmed[2] == 0:  # nothing but margins
            trimmed = None
        middle, _, _ = next(signatures)
        pictures = list(islice(signatures, len(self.lumas) - 2 - self.trimmed))
        kept = [each for each in pictures if each[2]] if quality else []
        return Description(
            sha256=self.sha256,
            pixels=self.pixels,
            width=self.width,
            height=self.height,
            format=self.format,
            size=self.size,
            quality=quality,
            bits=bits,
            bits_trimmed=trimmed[1] if trimmed else None,
            spectrum=spectrum,
            spectrum_trimmed=trimmed[0] if trimmed else None,
            panels=np.array([bits for _, bits, _ in kept], np.uint8).reshape(-1, bits.size),
            spectra_panels=np.array([each for each, _, _ in kept if self.page], np.float32).reshape(
                -1, *spectrum.shape
            ),
            spectrum_middle=middle,
            thumbnail=self.thumbnail,
            vector=vector,
        )


def hash_queries(
    description: Description,
    *,
    orientations: Sequence[str] = ORIENTATIONS,
    probes: Probes = 2,
    panels: bool = False,
) -> list[HashQuery]:
    """The hashes of a described image, whole and trimmed, in each orientation, with their band terms.

    Empty where the image is blank (`quality` 0). `probes` is the number of doubtful bits that each band
    flips, or "all". With `panels` those in the orientations of `IN_PAGES` are compared with stored panels,
    too.
    """
    if description.quality == 0:
        return []
    found: list[HashQuery] = []
    for spectrum, trimmed in ((description.spectrum, False), (description.spectrum_trimmed, True)):
        if spectrum is not None:
            for orientation, bits, terms in _oriented(spectrum, orientations, probes):
                in_pages = panels and orientation in IN_PAGES
                found.append(HashQuery(bits, terms, orientation, trimmed, panels=in_pages))
    return _distinct(found)


def hash_queries_of_panels(description: Description, probes: Probes = 2) -> list[HashQuery]:
    """The hashes of the panels of a described page; mostly none."""
    if description.quality == 0:
        return []
    return [
        HashQuery(bits, terms, orientation, part=True)
        for spectrum in description.spectra_panels
        for orientation, bits, terms in _oriented(spectrum, IN_PAGES, probes)
    ]


def hash_queries_of_middle(description: Description, probes: Probes = 2) -> list[HashQuery]:
    """The hashes of the middle square of a described image, which is the tile that a collage makes of it;
    they are compared with stored panels alone."""
    if description.quality == 0:
        return []
    return [
        HashQuery(bits, terms, orientation, panels=True, wholes=False)
        for orientation, bits, terms in _oriented(description.spectrum_middle, IN_PAGES, probes)
    ]


def hash_queries_of_region(region: Region, probes: Probes = 2) -> list[HashQuery]:
    """The hashes of a region; of one that was turned in every orientation."""
    orientations = ORIENTATIONS if region.turned else IN_PAGES
    return [
        HashQuery(bits, terms, orientation, part=True)
        for orientation, bits, terms in _oriented(region.spectrum, orientations, probes)
    ]


def hash_queries_of_negative(description: Description, probes: Probes = 2) -> list[HashQuery]:
    """The hashes of the negative of a described image, whole and trimmed."""
    return [
        HashQuery(bits, terms, orientation, part=True)
        for spectrum in (description.spectrum, description.spectrum_trimmed)
        if spectrum is not None
        for orientation, bits, terms in _oriented(phash.negative(spectrum), IN_PAGES, probes)
    ]


def _oriented(
    spectrum: NDArray[np.float32], orientations: Sequence[str], probes: Probes
) -> Iterator[tuple[str, NDArray[np.uint8], tuple[str, ...]]]:
    """A spectrum [16, 16] in each orientation: its hash and band terms."""
    oriented = np.stack([orient_spectrum(spectrum, orientation) for orientation in orientations])
    bits = phash.bits_of(oriented)
    terms = [bands.neighbours(each) for each in bits] if probes == "all" else bands.probed(oriented, probes)
    yield from zip(orientations, bits, terms, strict=True)


def hash_queries_of_bits(
    bits: NDArray[np.uint8],
    bits_trimmed: NDArray[np.uint8] | None = None,
    *,
    orientations: Sequence[str] = ORIENTATIONS,
    all_neighbours: bool = False,
) -> list[HashQuery]:
    """The hashes of a stored record, of which no spectrum is known.

    Flips and turns are approximate (see `orient_bits`), and there are no doubtful bits to flip.
    """
    terms_of = bands.neighbours if all_neighbours else bands.terms
    found = []
    for hash, trimmed in ((bits, False), (bits_trimmed, True)):
        if hash is None:
            continue
        for orientation in orientations:
            oriented = orient_bits(hash, orientation)
            found.append(HashQuery(oriented, terms_of(oriented), orientation, trimmed))
    return _distinct(found)


def _distinct(queries: list[HashQuery]) -> list[HashQuery]:
    """The first query of each hash: a symmetric image is its own mirror image."""
    first: dict[bytes, HashQuery] = {}
    for query in queries:
        first.setdefault(query.bits.tobytes(), query)
    return list(first.values())
