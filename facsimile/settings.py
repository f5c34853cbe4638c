"""Every setting, read once from the environment (`FACSIMILE_…`) or a `.env` file, and passed on from here.

This is the only module that reads the environment. `docs/settings.md` lists the settings; a test compares.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from facsimile.imaging.decode import Limits
from facsimile.imaging.models import DEFAULT_MODEL, model
from facsimile.imaging.models.base import Model, ModelOptions
from facsimile.search.errors import InvalidRequest
from facsimile.search.proof import Policy
from facsimile.search.ranking import Thresholds
from facsimile.version import __version__

if TYPE_CHECKING:
    from facsimile.api.service import Options as ApiOptions
    from facsimile.ingest.archives import ArchiveLimits
    from facsimile.ingest.fetch_limits import FetchLimits
    from facsimile.search.index.base import Index
    from facsimile.search.index.elastic.options import ElasticOptions
    from facsimile.workers.scanning.scans import ScanRules
    from facsimile.workers.webhook import Endpoint

MEGA = 1_000_000


#: former names of settings
RENAMED = {
    "jobs": "processes",
    "image_seconds": "image_timeout",
    "verify_seconds": "verify_timeout",
    "fetch_seconds": "fetch_timeout",
    "fetch_connect_seconds": "fetch_connect_timeout",
    "archive_seconds": "archive_timeout",
    "elastic_ca": "elastic_ca_certs",
    "elastic_fingerprint": "elastic_ca_fingerprint",
    "elastic_verify": "elastic_verify_certs",
    "elastic_seconds": "elastic_timeout",
    "api_line": "api_backlog",
    "api_seconds": "api_timeout",
    "api_buffer": "api_buffer_bytes",
    "queue_files": "queue_allow_local_files",
    "webhook_private": "webhook_allow_private",
}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"FACSIMILE_{name.upper()}"


class Settings(BaseSettings):
    """The settings of one process; the description of each is its entry in the documentation.

    Keywords win over the environment, which wins over `.env`. Raises InvalidRequest for an invalid value.
    """

    model_config = SettingsConfigDict(
        env_prefix="FACSIMILE_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    if not TYPE_CHECKING:  # type checkers and editors see the fields as keywords

        def __init__(self, **values: Any) -> None:
            if unknown := values.keys() - self.__class__.model_fields.keys() - RENAMED.keys():
                raise InvalidRequest(f"there is no setting {min(unknown)}")
            for old, new in RENAMED.items():
                if variable(old) in os.environ:
                    raise InvalidRequest(f"{variable(old)} is now {variable(new)}")
            try:
                super().__init__(**values)
            except ValidationError as error:
                first = error.errors()[0]
                name = variable("_".join(str(part) for part in first["loc"]))
                raise InvalidRequest(f"{name}: {first['msg']}") from None  # the cause repeats secrets

    @model_validator(mode="before")
    @classmethod
    def _refuse_old_names(cls, values: Any) -> Any:
        """Refuse the former names in a `.env` file or among keywords."""
        if isinstance(values, dict) and (old := next(iter(values.keys() & RENAMED.keys()), "")):
            raise InvalidRequest(f"{variable(old)} is now {variable(RENAMED[old])}")
        return values

    index: str = Field("facsimile-index", description="folder, @NAME, or http(s)://HOST[,HOST…]/NAME")
    data_folder: Path = Field(Path("~/.local/share/facsimile"), description="where @NAME is a folder NAME")
    processes: int = Field(
        0, ge=0, description="processes that read images, and compare them for `duplicates`; 0: one per core"
    )

    model: str = Field(
        DEFAULT_MODEL,
        description="model of a new index: facsimile, augnet, torchvision:NAME[:WEIGHTS] or "
        "torchscript:FILE; none: hashes alone",
    )
    model_threads: int = Field(1, gt=0, description="CPU threads of the model in each process")
    model_batch: int = Field(32, gt=0, description="images in one batch of the model")
    model_device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="device of the model")

    max_bytes: int = Field(50 * MEGA, gt=0, description="largest image file in bytes")
    max_pixels: int = Field(
        100 * MEGA,
        gt=0,
        description="largest number of pixels of an image; decoding takes up to 9 bytes of memory for each",
    )
    image_timeout: float = Field(60, gt=0, description="seconds for decoding one image")

    copy_distance: int = Field(
        48,
        ge=0,
        le=256,
        description="largest Hamming distance of a copy where pixels are not compared",
    )
    similar_distance: int = Field(80, ge=0, le=256, description="largest Hamming distance of a match")
    similar_cosine: float = Field(
        Thresholds().similar_cosine, ge=-1, le=1, description="smallest cosine of a match"
    )

    verify_candidates: int = Field(
        Policy().candidates,
        ge=0,
        description="number of candidates of a query that are verified by geometry; 0: none",
    )
    verify_timeout: float = Field(
        Policy().seconds, gt=0, description="seconds after which no further candidate of a query is verified"
    )
    verify_residual: float = Field(
        Policy().residual, gt=0, le=1, description="largest residual of the compared cells of a copy"
    )

    search_regions: bool = Field(
        True,
        description="search a second time, by tiles, insets and the negative, if no copy was found",
    )

    fetch_allow_private: bool = Field(False, description="allow fetching from private and loopback addresses")
    fetch_timeout: float = Field(60, gt=0, description="seconds for fetching one URL, redirects included")
    fetch_connect_timeout: float = Field(5, gt=0, description="seconds for connecting to a server")
    fetch_redirects: int = Field(5, ge=0, description="largest number of redirects of one URL")
    fetch_per_host: int = Field(
        4, gt=0, description="largest number of connections to one host, over all processes"
    )

    archive_entries: int = Field(10_000_000, gt=0, description="largest number of entries of one archive")
    archive_ratio: float = Field(
        200, gt=0, description="largest compression ratio of an archive that unpacks to more than a gigabyte"
    )
    archive_timeout: float = Field(21_600, gt=0, description="seconds for unpacking one archive")

    elastic_api_key: SecretStr | None = Field(
        None, description="API key, as Elasticsearch prints it (base64)"
    )
    elastic_user: str | None = Field(None, description="user name, if there is no API key")
    elastic_password: SecretStr | None = Field(None, description="password of the user")
    elastic_ca_certs: Path | None = Field(None, description="file with the CA certificates of the cluster")
    elastic_ca_fingerprint: str | None = Field(
        None, description="SHA-256 of the cluster's certificate, in hex"
    )
    elastic_verify_certs: bool = Field(True, description="verify the cluster's certificate")
    elastic_timeout: float = Field(30, gt=0, description="seconds for one request")
    elastic_shards: int = Field(1, gt=0, description="primary shards of a new index")
    elastic_replicas: int | None = Field(
        None, ge=0, description="replicas of each shard of a new index; unset: one if there is a second node"
    )

    api_host: str = Field("127.0.0.1", description="address on which the API listens")
    api_port: int = Field(8000, ge=0, le=65535, description="port on which the API listens; 0: any free port")
    api_workers: int = Field(1, gt=0, description="processes of the API")
    api_keys: Literal["auto", "on", "off"] = Field(
        "auto",
        description="require API keys; auto: not on loopback if none was ever created; off: never",
    )
    api_rate: float = Field(50, ge=0, description="requests per second of one key; 0: unlimited")
    api_batch: int = Field(32, gt=0, description="largest number of images in one request")
    api_threads: int = Field(
        0, ge=0, description="images that one process decodes or verifies at a time; 0: one per core"
    )
    api_connections: int = Field(8, gt=0, description="concurrent requests of one process to the index")
    api_backlog: int = Field(
        32, ge=0, description="queue length per stage; more requests are rejected with 503"
    )
    api_timeout: float = Field(
        30, gt=0, description="seconds for one stage, and for receiving a request body"
    )
    api_buffer_bytes: int = Field(
        512 * MEGA, gt=0, description="memory for all request bodies of one process, in bytes"
    )
    api_queue: bool = Field(False, description="store images by workers unless a request has wait=true")
    api_hosts: str = Field(
        "",
        description="allowed Host headers, with commas; unset: any with API keys, else loopback names",
    )
    api_origins: str = Field("", description="allowed CORS origins, separated by commas")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="log level of worker, beat and serve"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="json, text, or auto: text on a terminal"
    )

    broker_url: SecretStr = Field(SecretStr("redis://127.0.0.1:6379/0"), description="Redis of the queue")
    queue_limit: int = Field(500, gt=0, description="chunks in the queue at which a producer pauses")
    queue_inline_bytes: int = Field(8 * MEGA, gt=0, description="largest image inside a message, in bytes")
    queue_lease: float = Field(
        30, ge=3, description="seconds after which the chunks of a lost worker are processed again"
    )
    queue_allow_local_files: bool = Field(
        False, description="allow messages of other services to name local files of the workers"
    )
    webhook_url: str = Field("", description="URL that receives a webhook when a scan ends")
    webhook_secret: SecretStr | None = Field(
        None, description="key that signs webhooks: whsec_ and base64, or any text of 16 bytes or more"
    )
    webhook_allow_private: bool = Field(False, description="allow webhooks to private and loopback addresses")
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
            seconds=self.verify_timeout,
            residual=self.verify_residual,
            regions=self.search_regions,
        )

    @property
    def running(self) -> ModelOptions:
        """How a model runs in one process."""
        return ModelOptions(self.model_batch, self.model_threads, self.model_device)

    def scan_rules(self, index: Index, similar: bool) -> ScanRules:
        """What scans of an index go by, with or without what is only similar."""
        from facsimile.workers.scanning.scans import ScanRules

        return ScanRules(
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
        from facsimile.search.index.elastic.options import ElasticOptions

        return ElasticOptions(
            api_key=self.elastic_api_key.get_secret_value() if self.elastic_api_key else None,
            username=self.elastic_user,
            password=self.elastic_password.get_secret_value() if self.elastic_password else None,
            ca_certs=str(self.elastic_ca_certs) if self.elastic_ca_certs else None,
            ca_fingerprint=self.elastic_ca_fingerprint,
            verify_certs=self.elastic_verify_certs,
            timeout=self.elastic_timeout,
            shards=self.elastic_shards,
            replicas=self.elastic_replicas,
        )

    @property
    def fetching(self) -> FetchLimits:
        """The limits of one process; the connections to a host are divided among all of them."""
        from facsimile.ingest.fetch_limits import FetchLimits

        return FetchLimits(
            max_bytes=self.max_bytes,
            connect_seconds=self.fetch_connect_timeout,
            total_seconds=self.fetch_timeout,
            max_redirects=self.fetch_redirects,
            per_host=max(1, self.fetch_per_host // self.process_count),
            allow_private=self.fetch_allow_private,
        )

    @property
    def archive_limits(self) -> ArchiveLimits:
        """The limits on one archive."""
        from facsimile.ingest.archives import ArchiveLimits

        return ArchiveLimits(
            entries=self.archive_entries, ratio=self.archive_ratio, seconds=self.archive_timeout
        )

    @property
    def api(self) -> ApiOptions:
        """The limits of each process of the API."""
        from facsimile.api.service import Options

        return Options(
            max_bytes=self.max_bytes,
            max_batch=self.api_batch,
            threads=self.api_threads or max(1, self.process_count // self.api_workers),
            connections=self.api_connections,
            line=self.api_backlog,
            stage_seconds=self.api_timeout,
            body_seconds=self.api_timeout,
            buffer_bytes=self.api_buffer_bytes,
            rate=self.api_rate / self.api_workers,
            hosts=tuple(name.lower() for name in _names(self.api_hosts)),
            origins=_names(self.api_origins),
        )

    @property
    def endpoint(self) -> Endpoint | None:
        """The receiver of webhooks. Raises InvalidRequest where there is no key to sign them with."""
        from facsimile.workers.webhook import Endpoint

        if not self.webhook_url:
            return None
        if self.webhook_secret is None:
            raise InvalidRequest("FACSIMILE_WEBHOOK_URL needs FACSIMILE_WEBHOOK_SECRET, which signs webhooks")
        secret = self.webhook_secret.get_secret_value()
        return Endpoint(url=self.webhook_url, secret=secret, allow_private=self.webhook_allow_private)

    @property
    def process_count(self) -> int:
        """How many processes read or compare images: the setting, or the cores that this process may use."""
        if self.processes:
            return self.processes
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _names(text: str) -> tuple[str, ...]:
    """The names between commas."""
    return tuple(filter(None, (each.strip() for each in text.split(","))))


@cache
def settings() -> Settings:
    """The settings of this process. Raises InvalidRequest, which names the variable of an invalid value."""
    return Settings()


def changed(changes: Mapping[str, Any]) -> Settings:
    """The settings of this process with some changed. Raises InvalidRequest as `settings`."""
    return Settings(**changes)


def share_metrics(folder: Path) -> None:
    """Have all processes of a worker share metrics in this empty folder. Call it before the metrics are
    imported.

    The library behind it takes the folder from the environment alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def stop_softly() -> None:
    """Have SIGTERM leave a worker's chunks some seconds to end. Call it before Celery is imported.

    Celery takes this choice from the environment alone; otherwise it waits for them without a limit until it
    is killed.
    """
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
