"""Logs: what a line says, and what it never says."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from facsimile.workers.logging import bind_context, configure, logger, without_secrets


@pytest.fixture(autouse=True)
def own_logging():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def logged(log, *, level="info", format="json") -> list[Any]:
    """The lines that a function causes."""
    stream = io.StringIO()
    configure(level, format, stream=stream)
    log()
    lines = stream.getvalue().splitlines()
    return [json.loads(line) for line in lines] if format == "json" else lines


def test_a_line_tells_who_when_and_what():
    (line,) = logged(lambda: logger("facsimile.workers.tasks").info("chunk_finished", items=64, seconds=0.5))
    assert (line["event"], line["items"], line["seconds"]) == ("chunk_finished", 64, 0.5)
    assert (line["level"], line["logger"]) == ("info", "facsimile.workers.tasks")
    assert line["timestamp"].endswith("Z")


def test_what_is_bound_is_in_every_line_of_the_block_and_of_other_libraries():
    def log():
        with bind_context(job="j1", chunk="c7"):
            logger("ours").info("begun")
            with bind_context(item="i3"):
                logging.getLogger("celery.worker").warning("lost %s", "connection")
        logger("ours").info("ended")

    begun, lost, ended = logged(log)
    assert (begun["job"], begun["chunk"], "item" in begun) == ("j1", "c7", False)
    assert (lost["event"], lost["job"], lost["item"]) == ("lost connection", "j1", "i3")
    assert "job" not in ended


def test_the_level_counts_for_all_and_talkative_libraries_speak_only_on_debug():
    def log():
        logger("ours").debug("detail")
        logging.getLogger("elastic_transport.transport").info("POST /_bulk")
        logger("ours").warning("problem")

    assert [line["event"] for line in logged(log)] == ["problem"]
    assert len(logged(log, level="debug")) == 3
    assert logged(log, level="error") == []


def test_an_exception_is_one_line_with_its_traceback():
    def log():
        try:
            raise ConnectionError("redis://:hush@host:6379/0 refused")
        except ConnectionError as error:
            logger("ours").exception("no broker", error=error)
            logging.getLogger("kombu").exception("again")

    ours, theirs = logged(log)
    assert ours["error"] == "redis://***@host:6379/0 refused"
    for line in (ours, theirs):
        assert "ConnectionError" in line["exception"]
        assert "hush" not in json.dumps(line)


SECRETS = [
    "redis://:hush@localhost:6379/0",
    "rediss://user:hu@sh@host/1",
    "https://elastic:hush@a.example:9200,https://elastic:hush@b.example:9200/images",
    "sentinel://:hush@a:26379;sentinel://:hush@b:26379",
    "redis://host/0?password=hush&ssl=true",
    "https://bucket.example/photo.jpg?X-Amz-Expires=60&X-Amz-Signature=hush#part",
    "Authorization: ApiKey hush==",
    "{'authorization': 'Bearer hush'}",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("format", ["json", "text"])
def test_secrets_in_texts_are_hidden_wherever_they_are(secret, format):
    def log():
        logger("ours").warning(f"lost {secret}", url=secret, nested={"urls": [secret, (secret,)]})
        logging.getLogger("kombu").warning("lost %s", secret)

    for line in logged(log, format=format):
        assert "sh" not in str(line).replace("Authorization", "")
        assert "***" in str(line)


def test_values_that_are_secrets_by_their_name_are_hidden():
    (line,) = logged(
        lambda: logger("ours").info("x", api_key="hush", headers={"X-Api-Key": "h", "Accept": "*"})
    )
    assert line["api_key"] == "***"
    assert line["headers"] == {"X-Api-Key": "***", "Accept": "*"}


@pytest.mark.parametrize("text", ["https://a.example/photo@2x.jpg", "mail me@b.example", "photos/café.jpg"])
def test_what_is_no_secret_stays(text):
    assert without_secrets(text) == text


@pytest.mark.slow
@given(
    st.dictionaries(
        st.text(st.characters(categories=["L"]), min_size=1).map("x_".__add__),
        st.recursive(
            st.none() | st.integers() | st.floats() | st.binary() | st.text(st.characters()),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
)
@example({"x_name": "a\ud800\n\x1b[2J", "x_nan": float("nan")})
def test_any_values_give_one_line(values):
    (line,) = logged(lambda: logger("ours").info("any", **values))
    assert line["event"] == "any"
    assert len(logged(lambda: logger("ours").info("any", **values), format="text")) == 1


def test_auto_is_text_on_a_terminal_and_json_elsewhere():
    program = "from facsimile.workers.logging import *; configure(); logger('ours').info('hello', job='j1')"
    command = [sys.executable, "-c", program]
    piped = subprocess.run(command, capture_output=True, check=True)
    assert piped.stdout == b""
    assert json.loads(piped.stderr)["job"] == "j1"
    ours, theirs = pty.openpty()
    subprocess.run(command, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert "hello" in shown
    assert "j1" in shown
    assert not shown.startswith("{")


def test_a_library_that_nobody_configured_writes_nothing_to_stdout():
    program = (
        "from facsimile.workers.logging import logger as log; log('a').info('hello'); log('a').warning('oh')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b""
    assert b"hello" not in done.stderr
    assert b"oh" in done.stderr
