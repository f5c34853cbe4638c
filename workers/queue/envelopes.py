"""The envelopes in the Redis lists of the queues: a malformed one is refused before Celery sees it.

Celery ends its worker over some of them, and drops others with a line in the log. Other services may write to
these lists, so each message that is not a task of Facsimile becomes a dead letter.
"""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from kombu.asynchronous import get_event_loop
from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

#: the functions behind the tasks, by their names
Tasks = Mapping[str, Callable[..., object]]

#: is given the queue, the message, and what is wrong with it
Refuse = Callable[[str, bytes, str], None]

#: headers that Celery reads, and what they may hold
_HEADERS: dict[str, tuple[type, ...]] = {
    "task": (str,),
    "id": (str,),
    "eta": (str, type(None)),
    "expires": (str, type(None)),
    "retries": (int, type(None)),
    "root_id": (str, type(None)),
    "parent_id": (str, type(None)),
    "group": (str, type(None)),
    "compression": (type(None),),
    "stamped_headers": (list, type(None)),
    "stamps": (dict, type(None)),
}


class Malformed(Exception):
    """The message is not a task of Facsimile; the text says why."""


def check(raw: bytes, tasks: Tasks) -> None:
    """Raise Malformed where a message is not an envelope, or its task is unknown or has other arguments."""
    try:
        envelope = loads(bytes_to_str(raw))
    except Exception as error:  # the decoder calls constructors of many types
        raise Malformed(f"it is not JSON ({error})") from error
    envelope = _object(envelope, "the message")
    properties = _object(envelope.get("properties"), "properties")
    delivery = _object(properties.get("delivery_info"), "properties.delivery_info")
    headers = _object(envelope.get("headers"), "headers")
    _text(properties.get("delivery_tag"), "properties.delivery_tag")
    for name in ("exchange", "routing_key"):
        if not isinstance(delivery.get(name), str):
            raise Malformed(f"properties.delivery_info.{name} is not a text")
    for name, kinds in _HEADERS.items():
        if not isinstance(headers.get(name), kinds):
            raise Malformed(f"headers.{name} is missing or of another type")
    _text(headers["id"], "headers.id")
    limits = headers.get("timelimit") or [None, None]
    if not (isinstance(limits, list) and len(limits) == 2 and all(map(_is_limit, limits))):
        raise Malformed("headers.timelimit is not two numbers")
    if headers["task"] not in tasks:
        raise Malformed(f"there is no task {headers['task'][:80]!r}")
    _check_arguments(_body(envelope, properties), tasks[headers["task"]])


def _body(envelope: Mapping[str, Any], properties: Mapping[str, Any]) -> Any:
    if envelope.get("content-type") != "application/json":
        raise Malformed("content-type is not application/json")
    if str(envelope.get("content-encoding")).lower() not in ("utf-8", "utf8"):
        raise Malformed("content-encoding is not utf-8")
    body, encoding = envelope.get("body"), properties.get("body_encoding")
    if not isinstance(body, str) or encoding not in (None, "base64"):
        raise Malformed("body is not a text in base64")
    try:
        return loads(bytes_to_str(base64.b64decode(body)) if encoding else body)
    except Exception as error:
        raise Malformed(f"body is not JSON ({error})") from error


def _check_arguments(body: Any, function: Callable[..., object]) -> None:
    match body:
        case [list() as args, dict() as named, dict() | None as more] if not any((more or {}).values()):
            pass
        case _:
            raise Malformed("body is not [[ARGUMENTS], {}, {}]")
    signature = inspect.signature(function)
    try:
        given = signature.bind(*args, **named)
    except TypeError as error:
        raise Malformed(f"the arguments do not fit ({error})") from error
    for name, value in given.arguments.items():
        if signature.parameters[name].annotation == "str" and not isinstance(value, str):
            raise Malformed(f"the argument {name} is not a text")


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{name} is missing or not an object")
    return value


def _is_limit(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and value > 0)


def _text(value: Any, name: str) -> None:
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is missing or not a text")


def _raise(error: Exception) -> None:
    raise error


def transport(tasks: Tasks, refuse: Refuse) -> type[redis.Transport]:
    """Celery's transport over Redis, which hands malformed messages to `refuse`."""

    class Channel(redis.Channel):
        def _create_client(self, asynchronous: bool = False) -> Any:
            client = super()._create_client(asynchronous)
            if asynchronous:  # the one that takes messages from the lists
                client.parse_response = partial(self._received, client.parse_response)
            return client

        def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
            try:
                super().basic_ack(delivery_tag, multiple)
            except self.connection_errors as error:
                # Celery logs this and continues: it takes no message beyond those that are not acknowledged,
                # so the lost connection would stay unnoticed
                if loop := get_event_loop():
                    loop.call_soon(_raise, error)
                raise

        def _received(self, parse: Callable[..., Any], connection: Any, command: str, **options: Any) -> Any:
            response = parse(connection, command, **options)
            if command != "BRPOP" or not response:
                return response
            queue, message = response
            try:
                check(message, tasks)
            except Malformed as fault:
                refuse(bytes_to_str(queue).rsplit(self.sep, 1)[0], message, str(fault))
                return None  # as after a timeout
            return response

    class Transport(redis.Transport):
        Channel: type[redis.Channel]

    Transport.Channel = Channel
    return Transport
