"""`serve`: the HTTP API."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.options import IndexOption
from facsimile.cli.output import complain, note
from facsimile.search.errors import IndexNotFound, InvalidRequest

if TYPE_CHECKING:
    from facsimile.api.auth import KeyPolicy
    from facsimile.settings import Settings

#: seconds that requests may take after the server was asked to stop; it ends within 30
LAST_SECONDS = 24

#: seconds after which an idle connection is closed: later than most proxies and clients close theirs
#: (a minute), since a request that is sent just then gets no answer
IDLE_SECONDS = 75


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: any free port.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default 1.")] = None,
    without_keys: Annotated[
        bool,
        typer.Option(
            "--without-keys", help="Require no API keys: everyone who reaches the address has full access."
        ),
    ] = False,
    create: Annotated[bool, typer.Option("--create", help="Create an empty index if there is none.")] = False,
) -> None:
    """Serve the HTTP API and its page until stopped by Ctrl-C or SIGTERM."""
    from uvicorn import Config, Server
    from uvicorn.supervisors import Multiprocess

    from facsimile.settings import changed, share_metrics

    given = {"index": index, "api_host": host, "api_port": port, "api_workers": workers}
    chosen = changed({name: value for name, value in given.items() if value is not None})
    if without_keys:
        chosen = chosen.model_copy(update={"api_keys": "off"})
    keys = key_policy(chosen, create=create)
    with tempfile.TemporaryDirectory(prefix="facsimile-metrics-") as folder:
        shared = Path(folder) if chosen.api_workers > 1 else None
        if shared:
            share_metrics(shared)
        config = Config(
            partial(_application, chosen, keys, shared),
            factory=True,
            host=chosen.api_host,
            port=chosen.api_port,
            workers=chosen.api_workers,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LAST_SECONDS,
            timeout_keep_alive=IDLE_SECONDS,
        )
        listening = _listening(chosen.api_host, chosen.api_port)
        address, bound = listening.getsockname()[:2]
        note(f"serving {chosen.index} at http://{f'[{address}]' if ':' in address else address}:{bound}")
        if keys != "on":
            complain("API keys are not required: everyone who reaches this address has full access")
        if shared:
            Multiprocess(config, sockets=[listening]).run()
        else:
            # the server sends itself the signal again once it has stopped, which would end the process
            # abruptly
            signal.signal(signal.SIGTERM, lambda *_: None)
            Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises InvalidRequest where it cannot be bound."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # else head and body of an answer, sent one after the other, wait 40 ms for each other (RFC 896)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        reason = (error.strerror or str(error)).lower()
        raise InvalidRequest(
            f"cannot listen on port {port} of {host}: {reason}; choose another by --port or --host"
        ) from None
    listening.set_inheritable(True)
    return listening


def key_policy(chosen: Settings, *, create: bool) -> KeyPolicy:
    """Whether callers need an API key for an index that exists, or that `create` creates.

    An index that has had keys stays closed when the last one is revoked. Raises IndexNotFound, and
    InvalidRequest where keys are required and none was ever created.
    """
    from facsimile.api.keys import Keys
    from facsimile.search.index.opening import open_index, signatures_of

    elastic = chosen.elastic
    try:
        index = open_index(
            chosen.index, elastic, create=signatures_of(chosen.new_model()) if create else None
        )
    except IndexNotFound as error:
        raise IndexNotFound(f"{error}; `facsimile serve --create` creates an empty one") from None
    with index:
        if chosen.api_keys == "off":
            return "off"
        keys = Keys(index.state)
        required, made = keys.required(), keys.all()
    exposed = "" if is_loopback(chosen.api_host) else f"the public address {chosen.api_host}"
    if foreign := [host for host in chosen.api.hosts if not is_loopback(host)]:
        exposed = exposed or f"the host name {foreign[0]} (FACSIMILE_API_HOSTS)"
    if required and not made:
        complain(f"every API key is revoked, so all requests are rejected. {_OPENING}")
    elif not made and (exposed or chosen.api_keys == "on"):
        where = f" on {exposed}" if exposed else ": FACSIMILE_API_KEYS is on"
        raise InvalidRequest(f"refusing to start without API keys{where}. {_OPENING}")
    return "on" if required or exposed or chosen.api_keys == "on" else "auto"


#: how to give access
_OPENING = "Create one with `facsimile keys create NAME`, or allow everyone by --without-keys"


def is_loopback(host: str) -> bool:
    """Whether an address is a loopback one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _application(chosen: Settings, keys: KeyPolicy, shared: Path | None) -> object:
    """The application of each process of the server."""
    from facsimile.api.wiring import application
    from facsimile.workers.logging import configure

    configure(chosen.log_level, chosen.log_format)
    local = keys != "on" and is_loopback(chosen.api_host)
    return application(
        chosen.index, chosen, keys=keys, local=local, shared=shared, abandon=partial(os._exit, 0)
    )
