"""The options of an index on Elasticsearch; they load nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticOptions:
    """How to talk to Elasticsearch and how to lay out a new index; secrets do not show in its repr.

    An API key wins over user and password. `ca_certs` is a file of certificates, `ca_fingerprint` the
    SHA-256 of one in hexadecimal. `timeout` in seconds is for one request. `replicas` None makes one where
    there is a second node. `vector_index` is the kind of graph over the CNN vectors.
    """

    api_key: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    ca_fingerprint: str | None = None
    verify_certs: bool = True
    timeout: float = 30
    shards: int = 1
    replicas: int | None = None
    refresh_interval: str = "1s"
    vector_index: str = "bbq_hnsw"
