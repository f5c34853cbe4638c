"""The Redis that the other tests lean on does what they expect of it."""

from __future__ import annotations

import pytest
import redis

from tests.support.process import ServiceUnavailable
from tests.support.redis_server import RedisServer


@pytest.fixture
def server(redis_server):
    return redis_server()


def test_a_restart_keeps_port_and_data(server):
    url = server.url
    with redis.Redis.from_url(url) as client:
        client.rpush("queue", "first", "second")
    server.restart()
    assert server.url == url
    with redis.Redis.from_url(url) as client:
        assert client.lrange("queue", 0, -1) == [b"first", b"second"]


def test_a_killed_server_keeps_what_it_confirmed(redis_server):
    server = redis_server(fsync="always")
    with redis.Redis.from_url(server.url) as client:
        client.rpush("queue", *range(1000))
    server.restart(kill=True)
    with redis.Redis.from_url(server.url) as client:
        assert client.llen("queue") == 1000


def test_a_stopped_server_refuses_and_flushing_forgets(server):
    with redis.Redis.from_url(server.url) as client:
        client.set("name", "value")
        server.flush()
        assert client.dbsize() == 0
        server.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()


def test_it_drops_nothing_for_want_of_memory(server):
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_two_servers_do_not_meet(redis_server):
    first, second = redis_server("first"), redis_server("second")
    with redis.Redis.from_url(first.url) as client:
        client.set("name", "value")
    with redis.Redis.from_url(second.url) as client:
        assert client.get("name") is None


def test_a_taken_port_is_told(server, tmp_path):
    with pytest.raises(ServiceUnavailable, match="Address already in use"):
        RedisServer(tmp_path / "other", port=server.port).start()


def test_the_shared_server_answers(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
