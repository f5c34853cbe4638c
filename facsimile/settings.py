"""Every setting, read once from the environment (`FACSIMILE_…`) or a `.env` file, and handed down from here.

This is the only module that reads the environment. `docs/settings.md` lists the settings; a test compares.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from facsimile.imaging.decode import Limits
from facsimile.imaging.models import DEFAULT_MODEL, model
from facsimile.imaging.models.base import Model
from facsimile.imaging.models.base import Options as ModelOptions
from facsimile.search.errors import InvalidRequest
from facsimile.search.proof import Policy
from facsimile.search.ranking import Thresholds
from facsimile.version import __version__

if TYPE_CHECKING:
    from facsimile.api.service import Options as ApiOptions
    from facsimile.ingest.archives import ArchiveLimits
    from facsimile.ingest.fetch import FetchLimits
    from facsimile.search.index.base import Index
    from facsimile.search.index.elastic.client import ElasticOptions
    from facsimile.workers.scanning.scans import Rules
    from facsimile.workers.webhook import Endpoint

MEGA = 1_000_000


class Settings(BaseSettings):
    """The settings of one process. The description of each is its entry in the documentation."""

    model_config = SettingsConfigDict(
        env_prefix="FACSIMILE_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    index: str = Field("facsimile-index", description="folder, or http(s)://HOST[,HOST…]/NAME")
    jobs: int = Field(0, ge=0, description="processes that read images; 0: one per core")

    model: str = Field(
        DEFAULT_MODEL,
        description="network of a new index: facsimile, augnet, torchvision:NAME[:WEIGHTS] or "
        "torchscript:FILE; none: hashes alone",
    )
    model_threads: int = Field(1, gt=0, description="processor threads of the network in each process")
    model_batch: int = Field(32, gt=0, description="pictures that the network sees at a time")
    model_device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where the network runs")

    max_bytes: int = Field(50 * MEGA, gt=0, description="largest image file in bytes")
    max_pixels: int = Field(
        100 * MEGA,
        gt=0,
        description="most pixels of an image that are decoded, at up to 9 bytes of memory each",
    )
    image_seconds: float = Field(60, gt=0, description="longest time for decoding one image")

    copy_distance: int = Field(
        48,
        ge=0,
        le=256,
        description="Hamming distance up to which a match is a copy where pixels are not compared",
    )
    similar_distance: int = Field(80, ge=0, le=256, description="Hamming distance at which the answer ends")
    similar_cosine: float = Field(
        Thresholds().similar_cosine, ge=-1, le=1, description="cosine below which the answer ends"
    )

    verify_candidates: int = Field(
        Policy().candidates, ge=0, description="best candidates of a query that geometry verifies; 0: none"
    )
    verify_seconds: float = Field(
        Policy().seconds, gt=0, description="time after which no further candidate of a query is verified"
    )
    verify_residual: float = Field(
        Policy().residual, gt=0, le=1, description="residual of the compared cells up to which it is a copy"
    )

    search_regions: bool = Field(
        True,
        description="ask a second time, by tiles, insets and as a negative, where no copy was found",
    )

    fetch_allow_private: bool = Field(False, description="fetch from private and loopback addresses too")
    fetch_seconds: float = Field(
        60, gt=0, description="longest time for fetching one URL, redirects included"
    )
    fetch_connect_seconds: float = Field(5, gt=0, description="longest time for one connection")
    fetch_redirects: int = Field(5, ge=0, description="most redirects of one URL")
    fetch_per_host: int = Field(4, gt=0, description="most connections to one host, over all processes")

    archive_entries: int = Field(10_000_000, gt=0, description="most entries of one archive")
    archive_ratio: float = Field(
        200, gt=0, description="bytes that an archive may unpack to for each of its own, from a gigabyte on"
    )
    archive_seconds: float = Field(21_600, gt=0, description="longest time for unpacking one archive")

    elastic_api_key: SecretStr | None = Field(
        None, description="API key, as Elasticsearch printed it (base64)"
    )
    elastic_user: str | None = Field(None, description="user name, where there is no API key")
    elastic_password: SecretStr | None = Field(None, description="the user's password")
    elastic_ca: Path | None = Field(None, description="file with the certificate authority of the cluster")
    elastic_fingerprint: str | None = Field(None, description="SHA-256 of the cluster's certificate, in hex")
    elastic_verify: bool = Field(True, description="check the cluster's certificate")
    elastic_seconds: float = Field(30, gt=0, description="longest time for one request")
    elastic_shards: int = Field(1, gt=0, description="primary shards of a new index")
    elastic_replicas: int | None = Field(
        None, ge=0, description="copies of each shard of a new index; unset: one where there is a second node"
    )

    api_host: str = Field("127.0.0.1", description="address that the API listens on")
    api_port: int = Field(8000, ge=0, le=65535, description="port that the API listens on; 0: any free one")
    api_workers: int = Field(1, gt=0, description="processes of the API")
    api_keys: Literal["auto", "on", "off"] = Field(
        "auto",
        description="ask for API keys; auto: unless none was ever made, on loopback; off: let everyone in",
    )
    api_rate: float = Field(50, ge=0, description="requests a second of one key; 0: any number")
    api_batch: int = Field(32, gt=0, description="most images of one request")
    api_threads: int = Field(
        0, ge=0, description="images read or verified at a time by one process; 0: one per core"
    )
    api_connections: int = Field(8, gt=0, description="questions to the index at a time by one process")
    api_line: int = Field(32, ge=0, description="requests that may wait for each of these, beyond them 503")
    api_seconds: float = Field(30, gt=0, description="longest time of one stage, and for a body to arrive")
    api_buffer: int = Field(512 * MEGA, gt=0, description="bytes of all bodies in memory of one process")
    api_queue: bool = Field(False, description="have workers store what comes without wait=true")
    api_hosts: str = Field(
        "",
        description="names that callers may use for the API, with commas; unset, without keys: loopback ones",
    )
    api_origins: str = Field("", description="origins of foreign web pages that may ask, with commas")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level of the log lines of worker, beat and serve"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="json, text, or auto: text on a terminal"
    )

    broker_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="Redis of the queue")
    queue_limit: int = Field(
        500, gt=0, description="chunks of 96 images in the queue at which a producer pauses"
    )
    queue_inline_bytes: int = Field(8 * MEGA, gt=0, description="largest image inside a message, in bytes")
    queue_lease: float = Field(
        30, ge=3, description="seconds after which the work of a worker that vanished is taken up again"
    )
    queue_files: bool = Field(
        False, description="let messages of other services name files that the workers can read"
    )
    webhook_url: str = Field("", description="address that is told of scans that ended")
    webhook_secret: SecretStr | None = Field(
        None, description="what signs webhooks: whsec_ and base64, or any text of 16 bytes or more"
    )
    webhook_private: bool = Field(False, description="let webhooks go to private and loopback addresses too")
    worker_concurrency: int = Field(0, ge=0, description="processes of a worker; 0: one per core")
    worker_metrics_host: str = Field(
        "127.0.0.1", description="address of a worker's /metrics and /healthz; 0.0.0.0 in a container"
    )
    worker_metrics_port: int = Field(
        0, ge=0, le=65535, description="port of a worker's /metrics and /healthz; 0: none"
    )

    @property
    def limits(self) -> Limits:
        return Limits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(
            copy=self.copy_distance,
            similar=self.similar_distance,
            similar_cosine=self.similar_cosine,
        )

    @property
    def verification(self) -> Policy:
        return Policy(
            candidates=self.verify_candidates,
            seconds=self.verify_seconds,
            residual=self.verify_residual,
            regions=self.search_regions,
        )

    @property
    def running(self) -> ModelOptions:
        """How a network runs in one process."""
        return ModelOptions(self.model_batch, self.model_threads, self.model_device)

    def scan_rules(self, index: Index, similar: bool) -> Rules:
        """What scans of an index go by, with or without what is only similar."""
        from facsimile.workers.scanning.scans import Rules

        return Rules(
            signatures=index.signatures,
            thresholds=self.thresholds,
            policy=self.verification,
            similar=similar,
            program=__version__,
        )

    def new_model(self, name: str | None = None) -> Model | None:
        """The model of a new index; None for hashes alone."""
        name = name or self.model
        if name == "none":
            return None
        return model(name, batch=self.model_batch, threads=self.model_threads, device=self.model_device)

    @property
    def elastic(self) -> ElasticOptions:
        from facsimile.search.index.elastic.client import ElasticOptions

        return ElasticOptions(
            api_key=self.elastic_api_key.get_secret_value() if self.elastic_api_key else None,
            username=self.elastic_user,
            password=self.elastic_password.get_secret_value() if self.elastic_password else None,
            ca_certs=str(self.elastic_ca) if self.elastic_ca else None,
            ca_fingerprint=self.elastic_fingerprint,
            verify_certs=self.elastic_verify,
            timeout=self.elastic_seconds,
            shards=self.elastic_shards,
            replicas=self.elastic_replicas,
        )

    @property
    def fetching(self) -> FetchLimits:
        """The limits of one process; the connections to a host are shared out among all of them."""
        from facsimile.ingest.fetch import FetchLimits

        return FetchLimits(
            max_bytes=self.max_bytes,
            connect_seconds=self.fetch_connect_seconds,
            total_seconds=self.fetch_seconds,
            max_redirects=self.fetch_redirects,
            per_host=max(1, self.fetch_per_host // self.processes),
            allow_private=self.fetch_allow_private,
        )

    @property
    def archive_limits(self) -> ArchiveLimits:
        """What one archive may cost."""
        from facsimile.ingest.archives import ArchiveLimits

        return ArchiveLimits(
            entries=self.archive_entries, ratio=self.archive_ratio, seconds=self.archive_seconds
        )

    @property
    def api(self) -> ApiOptions:
        """The limits of each process of the API."""
        from facsimile.api.service import Options

        return Options(
            max_bytes=self.max_bytes,
            max_batch=self.api_batch,
            threads=self.api_threads or max(1, self.processes // self.api_workers),
            connections=self.api_connections,
            line=self.api_line,
            stage_seconds=self.api_seconds,
            body_seconds=self.api_seconds,
            buffer_bytes=self.api_buffer,
            rate=self.api_rate / self.api_workers,
            hosts=tuple(name.lower() for name in _listed(self.api_hosts)),
            origins=_listed(self.api_origins),
        )

    @property
    def endpoint(self) -> Endpoint | None:
        """Where webhooks go. Raises InvalidRequest where nothing could sign them."""
        from facsimile.workers.webhook import Endpoint

        if not self.webhook_url:
            return None
        if self.webhook_secret is None:
            raise InvalidRequest("FACSIMILE_WEBHOOK_URL needs FACSIMILE_WEBHOOK_SECRET, which signs webhooks")
        secret = self.webhook_secret.get_secret_value()
        return Endpoint(url=self.webhook_url, secret=secret, allow_private=self.webhook_private)

    @property
    def processes(self) -> int:
        """How many processes read images: the setting, or the cores that this process may use."""
        if self.jobs:
            return self.jobs
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _listed(text: str) -> tuple[str, ...]:
    """What is between the commas."""
    return tuple(filter(None, (each.strip() for each in text.split(","))))


@cache
def settings() -> Settings:
    """The settings of this process. A wrong value is an InvalidRequest that names its variable."""
    return changed({})


def changed(changes: Mapping[str, Any]) -> Settings:
    """The settings of this process with some changed. Raises InvalidRequest as `settings`."""
    if unknown := changes.keys() - Settings.model_fields.keys():
        raise InvalidRequest(f"there is no setting {min(unknown)}")
    try:
        return Settings(**changes)
    except ValidationError as error:
        first = error.errors()[0]
        name = "FACSIMILE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidRequest(f"{name}: {first['msg']}") from None  # the cause repeats secrets


def share_metrics(folder: Path) -> None:
    """Let all processes of a worker count in this empty folder. Call it before the metrics are imported.

    The library behind it takes the folder from the environment alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def stop_softly() -> None:
    """Let SIGTERM give a worker's chunks some seconds to end. Call it before Celery is imported.

    Celery takes this choice from the environment alone; otherwise it waits for them without a limit, and
    whoever loses patience kills it.
    """
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
