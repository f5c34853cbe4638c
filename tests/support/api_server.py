"""The API as its callers meet it: a real server on a loopback port, and real requests."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from facsimile.api.app import create_app
from facsimile.api.auth import KeyPolicy
from facsimile.api.keys import Keys
from facsimile.api.rate_limit import RateLimiter
from facsimile.api.service import Options, Service
from facsimile.api.wiring import open_service
from facsimile.settings import Settings, changed
from tests.support.waiting import wait_until


@dataclass
class Running:
    """A server that runs, what it serves, and a client for it."""

    url: str
    service: Service
    http: httpx.Client
    app: Any

    def key(self, *scopes: str, collections: tuple[str, ...] = ()) -> dict[str, str]:
        """The headers of a new key."""
        _, text = Keys(self.service.index.state).create("test", scopes or ("admin",), collections)
        return {"Authorization": f"Bearer {text}"}

    def wait(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until the condition holds."""
        wait_until(condition, timeout=seconds)

    def without_limit_of_failures(self) -> None:
        """Let any number of invalid keys be answered by 401: the limit answers a fuzzer's by 429."""
        self.app.state.door._failures = RateLimiter(0.0)

    def store(
        self, data: bytes, id: str, headers: dict[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        """Store an image under an id."""
        answer = self.http.post(
            "/v1/images", files={"image": data}, data={"id": id, **fields}, headers=headers or {}
        )
        assert answer.is_success, answer.text
        return answer


class Thread:
    """Runs an application by uvicorn in a thread."""

    def __init__(self, app: Any) -> None:
        self.server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=10)
        )
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        wait_until(lambda: self.server.started or not self._thread.is_alive(), "the server", interval=0.005)
        assert self.server.started, "the server did not start"
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers over indices of their own; what is given are options of the API and settings."""
    with ExitStack() as stack:

        def begin(
            location: str = "",
            *,
            keys: bool = False,
            policy: KeyPolicy | None = None,
            settings: dict[str, Any] | None = None,
            service_changes: dict[str, Any] | None = None,
            **options: Any,
        ) -> Running:
            chosen: Settings = changed({"model": "none", **(settings or {})})
            service, loader = open_service(location or str(tmp_path / "index"), chosen, create=True)
            service = dataclasses.replace(service, **(service_changes or {}))
            stack.callback(service.index.close)
            stack.callback(loader.close)
            needed: KeyPolicy = policy or ("on" if keys else "auto")
            app = create_app(service, Options(**options), keys=needed)
            thread = Thread(app)
            stack.callback(thread.stop)
            url = f"http://127.0.0.1:{thread.port}"
            http = stack.enter_context(httpx.Client(base_url=url, timeout=30, trust_env=False))
            return Running(url, service, http, app)

        yield begin
