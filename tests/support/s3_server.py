"""A real S3 server as a process: moto's, which keeps buckets in memory."""

from __future__ import annotations

import contextlib
import sys
import urllib.request
from typing import Any

from tests.support.process import ServiceProcess, free_ports

#: moto takes any key, but not a request without one
KEY = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret"}


class S3Server(ServiceProcess):
    """An S3 server on loopback."""

    name = "S3"
    start_timeout = 60

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to find it."""
        return {**KEY, "AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "us-east-1"}

    def store(self, bucket: str, **objects: bytes) -> None:
        """Make a bucket if there is none, and put objects into it."""
        with contextlib.closing(self._client()) as client:
            client.create_bucket(Bucket=bucket)
            for key, data in objects.items():
                client.put_object(Bucket=bucket, Key=key, Body=data)

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            aws_access_key_id=KEY["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEY["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=self.url,
            region_name="us-east-1",
        )

    def _command(self) -> list[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_ports(1)[0]
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def _ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/", timeout=1):
            return True
        return False
