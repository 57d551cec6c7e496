"""What all aws types have in common: clients, region, tags, waiting."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from lab.plugins import server
from lab.plugins.fields import STRING, Failures, Field, MapOf
from lab.plugins.resource import Call, Resource, Values
from lab.plugins.server import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.5
ATTEMPTS = 25
TAGS = Field(MapOf(STRING))


def region() -> str:
    """The provider's region: aws:region, then the environment's.

    Raises:
        PluginError: None is configured.
    """
    found = (
        server.configuration.get("aws:config:region")
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
    )
    if not found:
        raise PluginError("no AWS region: set aws:region in the stack file")
    return found


@cache
def _session(profile: str | None) -> Any:
    from botocore.session import Session  # slow, and not needed by every call

    return Session(profile=profile)


@cache
def client(service: str, in_region: str) -> Any:
    """A client of AWS; it follows AWS_ENDPOINT_URL by itself. As patient as the real provider (``maxRetries`` 25)."""
    from botocore.config import Config

    return _session(server.configuration.get("aws:config:profile") or None).create_client(
        service,
        region_name=in_region,
        config=Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}),
    )


def code_of(error: Exception) -> str:
    """AWS's error code; empty for another error."""
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def tag_list(tags: dict[str, str] | None) -> list[dict[str, str]]:
    """Tags as EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tag_map(tags: list[dict[str, str]] | None) -> dict[str, str]:
    """Tags as the program says them; AWS's own are left out."""
    return {tag["Key"]: tag["Value"] for tag in tags or [] if not tag["Key"].startswith("aws:")}


def tag_specification(kind: str, tags: dict[str, str] | None) -> list[dict[str, Any]]:
    """Tags for a resource that a call makes."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)}] if tags else []


def wait_until(what: str, done: Callable[[], bool], *, seconds: float) -> None:
    """Look again and again until `done`.

    Raises:
        PluginError: It took too long.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise PluginError(f"timeout while waiting for {what} ({seconds:.0f} s)")
        time.sleep(POLL_SECONDS)


class AwsResource(Resource):
    """A regional type, with tags if it has a field of that name and kind."""

    def check(self, old: Values, new: Values, call: Call) -> tuple[Values, Failures]:
        """The region becomes an input, and the tags have a second, merged form."""
        filled = {"region": new.get("region") or region(), **new}
        if self.fields.get("tags") == TAGS:
            filled["tagsAll"] = new.get("tags") or {}
        return super().check(old, filled, call)

    def compared(self, inputs: Values, state: Values) -> Values:
        """What the program once said, with the values of the state, as the bridge plans against Terraform's state.

        So what AWS made of a call otherwise than it was asked shows as a difference at the next update.
        """
        return {name: state.get(name, value) for name, value in inputs.items()}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.fields = {"region": Field(STRING, replace=True), **cls.fields}
        if cls.fields.get("tags") == TAGS:
            cls.fields["tagsAll"] = TAGS

    @staticmethod
    def ec2(values: Values) -> Any:
        """EC2 in the resource's region."""
        return client("ec2", values.get("region") or region())

    def change_tags(self, api: Any, resource_id: str, old: Values, new: Values) -> None:
        """DeleteTags for removed keys, with their old value; CreateTags for new or changed ones."""
        before, after = old.get("tags") or {}, new.get("tags") or {}
        gone = {key: value for key, value in before.items() if key not in after}
        changed = {key: value for key, value in after.items() if before.get(key) != value}
        if gone:
            api.delete_tags(Resources=[resource_id], Tags=tag_list(gone))
        if changed:
            api.create_tags(Resources=[resource_id], Tags=tag_list(changed))
