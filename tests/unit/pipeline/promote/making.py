"""Images, pointers and tags of role web in moto's account."""

import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from pipeline.model import pointer_description, with_word

REGION = "eu-west-1"


class Aws:
    def __init__(self) -> None:
        self.ec2: Any = boto3.client("ec2", region_name=REGION)
        self.ssm: Any = boto3.client("ssm", region_name=REGION)

    def image(self, name: str, channel: str | None = None, role: str = "web") -> str:
        image: str = self.ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
        tags = {"Role": role} | ({"ImageChannel": channel} if channel else {})
        self.ec2.create_tags(Resources=[image], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return image

    def point(
        self, channel: str, image: str, source: str = "candidate", label: str | None = None, word: str = ""
    ) -> int:
        """Write a pointer, as the promotion of that word; its new version."""
        name = f"/golden-image/web/{channel}"
        text = pointer_description("web", channel, source)
        version: int = self.ssm.put_parameter(
            Name=name,
            Value=image,
            Type="String",
            Description=with_word(text, word) if word else text,
            Overwrite=True,
        )["Version"]
        if label is not None:
            self.ssm.label_parameter_version(Name=name, ParameterVersion=version, Labels=[label])
        return version

    def channel(self, image: str) -> str | None:
        tags = self.ec2.describe_images(ImageIds=[image])["Images"][0]["Tags"]
        return {tag["Key"]: tag["Value"] for tag in tags}.get("ImageChannel")

    def labels(self, channel: str = "prod") -> dict[int, list[str]]:
        """The labels of the versions that have any."""
        pages = self.ssm.get_paginator("get_parameter_history").paginate(Name=f"/golden-image/web/{channel}")
        entries = [entry for page in pages for entry in page["Parameters"]]
        return {entry["Version"]: entry["Labels"] for entry in entries if entry["Labels"]}


def plan(channel: str, image: str, **more: Any) -> dict[str, Any]:
    """What every step of a promotion gets."""
    return {"region": REGION, "role": "web", "channel": channel, "imageId": image, "stack": channel, **more}


def slow(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> list[float]:
    """A clock that only waiting moves; `then` happens at the third wait."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            then()

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: float(len(waits)))
    return waits
