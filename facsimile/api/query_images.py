"""The image of a request: its bytes from the body, from an address, or the signatures of a stored one."""

from __future__ import annotations

from collections.abc import Sequence

from facsimile.api.auth import Caller
from facsimile.api.schemas.fields import ImageQuery, Picture
from facsimile.api.stages import ServiceStages
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import Description, Key
from facsimile.search.errors import InvalidRequest
from facsimile.search.query import QueryImage


async def bytes_of(stages: ServiceStages, picture: Picture, files: Sequence[bytes] = ()) -> bytes:
    """The bytes of an image that is no stored one. Raises InvalidRequest and the errors of the fetcher."""
    given = [*files, *([picture.image_base64] if picture.image_base64 is not None else [])]
    if len(given) + (picture.url is not None) != 1:
        raise InvalidRequest("give one image: a file `image`, `image_base64` or `url`")
    return given[0] if given else await stages.fetch(picture.url or "")


async def query_of(
    stages: ServiceStages, caller: Caller, requested: ImageQuery, files: Sequence[bytes] = ()
) -> QueryImage:
    """The query image. Raises the errors of reading it."""
    if requested.id is None:
        return QueryImage(await stages.describe(await bytes_of(stages, requested, files)))
    if files or requested.url is not None or requested.image_base64 is not None:
        raise InvalidRequest("give one image: a file `image`, `image_base64`, `url` or `id`")
    within = caller.within([requested.collection] if requested.collection else ())
    return await stages.ask(stages.finder.stored_query, requested.id, within)


async def queries_of(
    stages: ServiceStages, caller: Caller, requested: Sequence[ImageQuery], files: Sequence[bytes] = ()
) -> list[QueryImage | FacsimileError]:
    """The images of a batch, each with its error in its place; those with bytes are described together."""
    found: list[QueryImage | FacsimileError | bytes] = [*files]
    urls = [each.url for each in requested if each.url is not None and each.id is None]
    fetched = iter(await stages.fetch_all(urls))
    for each in requested:
        try:
            if each.id is not None:
                found.append(await query_of(stages, caller, each))
            elif each.url is not None:
                found.append(next(fetched))
            else:
                found.append(await bytes_of(stages, each))
        except FacsimileError as error:
            found.append(error)
    described = iter(await stages.describe_all([each for each in found if isinstance(each, bytes)]))
    answers: list[QueryImage | FacsimileError] = []
    for one in found:
        if isinstance(one, bytes):
            description = next(described)
            answers.append(QueryImage(description) if isinstance(description, Description) else description)
        else:
            answers.append(one)
    return answers


async def key_of(stages: ServiceStages, caller: Caller, id: str, collection: str | None) -> Key:
    """The one record with this id that the caller may see. Raises RecordNotFound and AmbiguousId."""
    return await stages.ask(stages.finder.key_of, id, caller.within([collection] if collection else ()))
