"""Pieces that the bodies and answers of several groups of routes are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import from_json

from facsimile.imaging.record import MAX_ID_BYTES, MOST_PAGES, ImageRecord, Key, WebPage
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.validation import COLLECTION, id_faults, metadata_faults, tag_faults

#: the context of a validation whose values are the fields of a form
FORM = "form"


#: values of one JSON body
MAX_VALUES = 20_000


def json_values(text: str | bytes) -> int:
    """How many values JSON holds at most, counted without building them."""
    if isinstance(text, str):
        return text.count(",") + text.count("[") + text.count("{")
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def listed(value: Any, info: ValidationInfo) -> Any:
    """A field of a form that came once is a list of one."""
    return [value] if info.context == FORM and isinstance(value, str) else value


def numbered(value: Any, info: ValidationInfo) -> Any:
    """A number in a field of a form comes as text."""
    return int(value) if info.context == FORM and isinstance(value, str) and value.isdecimal() else value


def _parsed(value: Any, info: ValidationInfo) -> Any:
    """An object in a field of a form is JSON."""
    if info.context != FORM or not isinstance(value, str):
        return value
    if (values := json_values(value)) > MAX_VALUES:
        raise ValueError(f"there are at most {MAX_VALUES} values of JSON, not {values}")
    try:
        return from_json(value or "{}", allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"this is no JSON: {error}") from None


def checked(faults: Callable[[Any], Iterator[str]]) -> AfterValidator:
    """Refuse a value that no index takes, with the first of its faults."""

    def check(value: Any) -> Any:
        if fault := next(faults(value), ""):
            raise ValueError(fault)
        return value

    return AfterValidator(check)


def _encoded(value: Any) -> Any:
    """The base64 of a text, or of a data URL (RFC 2397) as every browser makes it."""
    if not isinstance(value, str):
        return value
    if value.lstrip()[:5].lower() != "data:":
        return value.encode()
    about, comma, data = value.partition(",")
    if not comma or not about.rstrip().lower().endswith(";base64"):
        raise ValueError("a data URL holds an image in base64: data:image/jpeg;base64,…")
    return unquote(data).encode()


def _address(value: Any) -> Any:
    """An address without the blanks that came along when it was copied."""
    return value.strip() if isinstance(value, str) else value


Collection = Annotated[
    str,
    StringConstraints(pattern=f"^{COLLECTION.pattern}$"),
    Field(description="a catalogue or a tenant", examples=["catalogue-2026"]),
]
Collections = Annotated[
    list[Collection], BeforeValidator(listed), Field(max_length=100, description="only these; none: all")
]
Id = Annotated[
    str,
    checked(id_faults),
    Field(min_length=1, max_length=MAX_ID_BYTES, description="the caller's own name of an image"),
]
#: the value of one key, or several, any of which a record may have
Values = str | Annotated[list[str], Field(min_length=1, max_length=100)]
Terms = Annotated[
    dict[str, Values],
    BeforeValidator(_parsed),
    Field(
        max_length=20,
        description="only records with these values of `id`, `sha256`, `source`, `format`, `tags` or a "
        "dotted path of the metadata",
        examples=[{"camera.model": "X100"}],
    ),
]
Tags = Annotated[
    list[Annotated[str, checked(tag_faults)]],
    BeforeValidator(listed),
    Field(max_length=100, examples=[["portrait"]]),
]
#: any JSON object, as it was given
JsonObject = Annotated[dict[str, JsonValue], Field(description="any JSON object", examples=[{"year": 1969}])]

Metadata = Annotated[
    dict[str, Any],
    BeforeValidator(_parsed),
    checked(metadata_faults),
    Field(description="any JSON object", examples=[{"year": 1969}]),
]


class Page(BaseModel):
    """A web page that shows an image."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=8192, examples=["https://shop.example/lamps"])]
    title: str = Field("", max_length=8192, examples=["Lamps"])
    text: str = Field("", max_length=8192, description="the caption or alternative text of the image there")
    seen_at: datetime | None = Field(None, description="when that was seen first")

    @property
    def stored(self) -> WebPage:
        """The page as a record keeps it."""
        return WebPage.from_json(self.model_dump(mode="json"))


Pages = Annotated[
    list[Page],
    BeforeValidator(_parsed),
    Field(max_length=MOST_PAGES, description="web pages that show the image, beside those that are stored"),
]

#: a point in time, ISO 8601 in UTC
Time = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-21T22:43:48.315+00:00"])
]

WebAddress = Annotated[str, BeforeValidator(_address), Field(max_length=8192)]

#: an id as one segment of a path
PathId = Annotated[
    str,
    Path(
        description="the id; in the path one segment, so that `/` is sent as `%2F`",
        examples=["people/Eileen"],
    ),
    BeforeValidator(lambda value: unquote(value, errors="strict")),
    checked(id_faults),
]
QueryCollection = Annotated[
    Collection | None, Query(description="where the same id may be in several collections")
]


class Picture(BaseModel):
    """An image: by URL, by its bytes, or by the id of a stored one. One of the three, or a file of a form."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[WebAddress | None, Field(description="an http or https address to fetch")] = None
    image_base64: Annotated[
        Annotated[Base64Bytes, BeforeValidator(_encoded)] | None,
        Field(description="the bytes of an image file in base64, or a data URL that holds them"),
    ] = None


class ImageQuery(Picture):
    """The image of a query, which may be a stored one."""

    id: Annotated[Id, Field(description="the id of a stored image, which does not find itself")] | None = None
    collection: Annotated[Collection, Field(description="where that id is")] | None = None

    @property
    def names_an_image(self) -> bool:
        return any(given is not None for given in (self.url, self.image_base64, self.id))


class Image(BaseModel):
    """A stored image."""

    id: str = Field(examples=["people/Eileen"])
    collection: str = Field(examples=["default"])
    sha256: str = Field(description="of the bytes, in hex")
    pixels: str = Field(description="a digest of all that the file shows, in hex")
    width: int = Field(examples=[1024])
    height: int = Field(examples=[768])
    format: str = Field(examples=["JPEG"])
    size: int = Field(description="bytes of the file", examples=[184_213])
    quality: int = Field(description="0 for blank pictures, which are found by their bytes alone")
    sources: list[str] = Field(description="every place where these bytes were met, first met first")
    gone: list[str] = Field(description="places that no longer hold these bytes")
    title: str
    tags: list[str]
    metadata: JsonObject
    pages: list[Page] = Field([], description="web pages that show the image, the first ones only")
    added_at: datetime
    thumbnail: str = Field(description="the path of a JPEG of at most 320 pixels a side")

    @classmethod
    def of(cls, record: ImageRecord) -> Image:
        """The image that a record is."""
        return cls(
            **record.as_json(),
            thumbnail=thumbnail_of(record.key),
        )


def path_of(key: Key) -> str:
    """Where a record is."""
    return f"/v1/images/{quote(key.id, safe='')}?collection={key.collection}"


def thumbnail_of(key: Key) -> str:
    """Where the thumbnail of a record is."""
    return f"/v1/images/{quote(key.id, safe='')}/thumbnail?collection={key.collection}"


def terms_of(pairs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The terms of repeated `key=value` parameters; values of one key are alternatives."""
    terms: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InvalidRequest(f"a filter is key=value, not {pair[:80]!r}")
        terms[key] = (*terms.get(key, ()), value)
    return terms
