"""`serve`: the search API."""

from __future__ import annotations

import ipaddress
import signal
import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.options import IndexOption
from facsimile.cli.output import complain, say
from search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.settings import Settings

#: seconds that requests may still take after the server was told to stop
LAST_SECONDS = 30

#: seconds after which an idle connection is closed: later than most proxies and clients close theirs
#: (a minute), since a request that is sent just then gets no answer
IDLE_SECONDS = 75


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    index: IndexOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: any free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default 1.")] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Let everyone who reaches the address do everything.")
    ] = False,
) -> None:
    """Serve the search API, until it is told to stop by Ctrl-C or SIGTERM."""
    from uvicorn import Config, Server
    from uvicorn.supervisors import Multiprocess

    from facsimile.settings import changed, share_metrics

    given = {"index": index, "api_host": host, "api_port": port, "api_workers": workers}
    chosen = changed({name: value for name, value in given.items() if value is not None})
    open_door = without_keys or not needs_keys(chosen)
    with tempfile.TemporaryDirectory(prefix="facsimile-metrics-") as folder:
        shared = Path(folder) if chosen.api_workers > 1 else None
        if shared:
            share_metrics(shared)
        config = Config(
            partial(_application, chosen, open_door, shared),
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
        listening = config.bind_socket()
        # else head and body of an answer, sent one after the other, wait 40 ms for each other (RFC 896)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address, bound = listening.getsockname()[:2]
        say(f"serving {chosen.index} at http://{f'[{address}]' if ':' in address else address}:{bound}")
        if open_door:
            complain("no API keys are asked for: whoever reaches this address may do everything")
        if shared:
            Multiprocess(config, sockets=[listening]).run()
        else:
            # the server sends itself the signal again once it has stopped, which would end us without a word
            signal.signal(signal.SIGTERM, lambda *_: None)
            Server(config).run(sockets=[listening])


def needs_keys(chosen: Settings) -> bool:
    """Whether callers have to show a key. Raises InvalidRequest where they would, and there is none."""
    from search.api.keys import Keys
    from search.index import is_remote, open_index, signatures_of

    if chosen.api_keys == "off":
        return False
    elastic = chosen.elastic if is_remote(chosen.index) else None
    with open_index(chosen.index, elastic, create=signatures_of(chosen.new_model())) as index:
        made = Keys(index.state).all()
    if not made and (chosen.api_keys == "on" or not is_loopback(chosen.api_host)):
        raise InvalidRequest(
            f"nobody could ask: there are no API keys, and {chosen.api_host} is open to others. "
            "Make one with `facsimile keys create NAME`, or let everyone in by --without-keys"
        )
    return bool(made)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _application(chosen: Settings, open_door: bool, shared: Path | None) -> object:
    """What each process of the server runs."""
    from facsimile.serving import application
    from search.logs import configure

    configure(chosen.log_level, chosen.log_format)
    local = open_door and is_loopback(chosen.api_host)
    return application(chosen.index, chosen, open_door=open_door, local=local, shared=shared)
