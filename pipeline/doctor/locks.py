"""Who holds a stack's lock in a state backend of files: a folder, or an S3 bucket.

Pulumi writes one JSON file a lock (pkg/backend/diy/lock.go): process, user, host, time. It is removed when the
update ends, and stays when the process is killed.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import psutil

from pipeline import aws
from pipeline.aws.patience import BRIEF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.stacks import Place

_FOLDER = ".pulumi/locks/organization/{project}/{stack}"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One lock.

    Attributes:
        user: Who holds it.
        host: On which machine.
        pid: The process there.
        since: Since when, in UTC.
    """

    user: str
    host: str
    pid: int
    since: datetime

    @classmethod
    def of(cls, text: str) -> Lock:
        """Read Pulumi's file.

        Raises:
            ValueError: It is none.
        """
        values = json.loads(text)
        return cls(
            user=values["username"],
            host=values["hostname"],
            pid=values["pid"],
            # Go's nanoseconds too are taken, since Python 3.11.
            since=datetime.fromisoformat(values["timestamp"]).astimezone(UTC),
        )

    @property
    def dead(self) -> bool:
        """Whether its process was on this machine and is gone."""
        return self.host == socket.gethostname() and not psutil.pid_exists(self.pid)

    def __str__(self) -> str:
        gone = ", which is gone" if self.dead else ""
        return f"{self.user}@{self.host} (process {self.pid}{gone}) since {self.since:%Y-%m-%d %H:%M} UTC"


def find(url: str, *, project: str, stack: str, place: Place) -> list[Lock] | None:
    """The locks on a stack, or None if this kind of backend keeps them where they cannot be seen.

    Args:
        url: The backend, as `pulumi whoami` names it.
        project: The project's name.
        stack: The stack's name.
        place: How AWS is asked where the URL does not say.

    Raises:
        ValueError: A lock file is none.
        botocore.exceptions.ClientError: The bucket was not to be read.
    """
    parts = urlsplit(url)
    folder = _FOLDER.format(project=project, stack=stack)
    if parts.scheme == "file":
        return [Lock.of(text) for text in _in_folder(Path(unquote(parts.path)).expanduser() / folder)]
    if parts.scheme == "s3":
        query = {name: found[-1] for name, found in parse_qs(parts.query).items()}
        prefix = "/".join(filter(None, [parts.path.strip("/"), folder]))
        client = aws.client(
            "s3",
            region=query.get("region", place.region),
            profile=query.get("profile", place.profile) or None,
            patience=BRIEF,
        )
        return [Lock.of(text) for text in _in_bucket(client, parts.netloc, f"{prefix}/")]
    return None


def _in_folder(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.json")):
        yield file.read_text(encoding="utf-8")


def _in_bucket(client: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", ()):
            if found["Key"].endswith(".json"):
                yield client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read().decode()
