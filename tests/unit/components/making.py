"""What the tests of the components share: an engine that only takes notes, and what it answers."""

import json
from typing import Any

import pulumi

from components.validation_machines import ClonePlace
from pipeline.baking.bakekey import Ingredients

IMAGE = "ami-0123456789abcdef0"
VERDICT = {
    "imageId": IMAGE,
    "validatedAt": "2026-01-31T12:00:00Z",
    "suite": "s" * 32,
    "digest": "d" * 64,
    "report": "r",
}
HERE = ClonePlace(subnet_id="subnet-1", vpc_id="vpc-1", allowed_cidr="192.0.2.7/32", address="public")
MADE_OF = Ingredients(files={"clean.sh": "d1"}, variables={"image_version": "1"}, serial=2)
OUTPUT = {
    "bake": {"images": {"eu-west-1": IMAGE}},
    "keygen": {"publicKey": "ssh-ed25519 AAAA", "privateKey": "very private"},
    "validate": VERDICT,
    "claim": {"imageId": IMAGE, "displaces": None, "version": 4, "when": "x", "label": "4e5f6a7b"},
    "held": {
        "imageId": IMAGE,
        "version": 5,
        "when": "2026-01-31T12:00:00+00:00",
        "since": "2026-01-31T12:00:00Z",
        "previousImage": None,
    },
    "settle": {"imageId": IMAGE},
    "roll-out": {"imageId": IMAGE, "version": 7, "deployed": "2026-01-31T12:05:00Z creation"},
}


class Notes(pulumi.runtime.Mocks):
    """Notes each resource, and answers as its provider would."""

    late: str | None = None
    """What the provider reads of a pointer that AWS has not written yet."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.inputs[args.name] = dict(args.inputs)
        outputs = dict(args.inputs)
        if args.typ == "command:local:Command":
            outputs["stdout"] = json.dumps(OUTPUT[args.inputs["create"]])
        if args.typ == "aws:ec2/launchTemplate:LaunchTemplate":
            outputs["latestVersion"] = 7
        if args.typ == "aws:ssm/parameter:Parameter":
            outputs |= {"version": 5} | ({"insecureValue": self.late} if self.late else {})
        if args.typ == "aws:ec2/keyPair:KeyPair":
            outputs["keyName"] = "key-1"
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"a component decides nothing and asks nothing: {args.token}")


def has(value: Any, wanted: Any) -> None:
    assert value == wanted


def plain(value: Any) -> str:
    text = value["value"] if isinstance(value, dict) else value
    assert isinstance(text, str)
    return text
