"""Query images of the library and the command line: read from wherever they are, and described in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from facsimile.images import ImageInput, bytes_place_or_error
from facsimile.imaging.describe import describe_many
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from facsimile.search.errors import AmbiguousId, InvalidRequest, RecordNotFound
from facsimile.search.query import QueryImage
from facsimile.settings import Settings

#: how a stored image is named
ID_PREFIX = "id:"

#: gives the stored image with an id
StoredQuery = Callable[[str], QueryImage]


class QueryReader:
    """Reads and describes query images; it has one loader, so close it.

    `stored` gives stored images; without it `id:ID` is an InvalidRequest.
    """

    def __init__(self, settings: Settings, model: Model | None, stored: StoredQuery | None = None) -> None:
        self._settings = settings
        self._model = model
        self._stored = stored

    @cached_property
    def _loader(self) -> Loader:
        return Loader(self._settings.fetching)

    def read(self, image: ImageInput | Item) -> QueryImage:
        """One image. Raises SourceError, ImageError, ModelError, RecordNotFound, AmbiguousId."""
        (query,) = self.read_many([image])
        if isinstance(query, FacsimileError):
            raise query
        return query

    def read_many(self, images: Sequence[ImageInput | Item]) -> list[QueryImage | FacsimileError]:
        """Several images, described as one batch; the error in the place of one that cannot be read.

        Raises the errors of an index or a model that fail as a whole.
        """
        found: dict[int, QueryImage | FacsimileError] = {}
        items: dict[int, Item] = {}
        for place, image in enumerate(images):
            item = image if isinstance(image, Item) else _item(image)
            if isinstance(item, FacsimileError):
                found[place] = item
            elif item.data is None and item.source.startswith(ID_PREFIX):
                found[place] = self._stored_query(item.source.removeprefix(ID_PREFIX))
            else:
                items[place] = item
        datas = self._loader.load(list(items.values())) if items else []
        read: dict[int, bytes] = {}
        for place, data in zip(items, datas, strict=True):
            if isinstance(data, bytes):
                read[place] = data
            else:
                found[place] = data
        described = describe_many(list(read.values()), limits=self._settings.limits, model=self._model)
        for place, description in zip(read, described, strict=True):
            found[place] = description if isinstance(description, FacsimileError) else QueryImage(description)
        return [found[place] for place in range(len(images))]

    def _stored_query(self, id: str) -> QueryImage | FacsimileError:
        if self._stored is None:
            return InvalidRequest(f"{ID_PREFIX}{id} needs an index")
        try:
            return self._stored(id)
        except (RecordNotFound, AmbiguousId, InvalidRequest) as error:
            return error

    def close(self) -> None:
        """Close the loader."""
        if "_loader" in self.__dict__:
            self._loader.close()


def _item(image: ImageInput) -> Item | FacsimileError:
    match bytes_place_or_error(image):
        case bytes() as data:
            return Item("", data=data)
        case str() as place:
            return Item(place)
        case error:
            return error
