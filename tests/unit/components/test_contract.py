"""What holds for every component. A new one is found by itself, and tested without a line here.

The arguments are chosen by the parameters' names, which mean the same in every component. A name that is new gets its
value in `ARGUMENTS`.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import pulumi
import pulumi_aws
import pytest
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.mocks import MockMonitor

import components
from components.fleet import Fleet
from components.validation_machines import CloneShape
from pipeline.settings.group import GroupKeys
from tests.unit.components.making import HERE, IMAGE, MADE_OF, Notes
from tests.unit.pipeline.making import standing

ARGUMENTS: dict[str, Any] = {
    "access": {"subnet_id": "subnet-1"},
    "after": None,
    "allowed_skips": {"test_x.py::test_y": "not on this role"},
    "channel": "prod",
    "clones": CloneShape(
        count=2, instance_type="t3.micro", user="ec2-user", encrypt_root=True, keep_minutes=5
    ),
    "environment": {"AWS_REGION": "eu-west-1"},
    "health_port": 80,
    "health_wait_seconds": 300,
    "image_id": IMAGE,
    "ingredients": replace(MADE_OF, serial=3),
    "instance_profile": "web",
    "instance_type": "t3.medium",
    "keys": GroupKeys.model_validate({"minSize": 3, "maxSize": 6, "subnetIds": ["subnet-0123456789abcdef0"]}),
    "label": "4e5f6a7b",
    "launch_template_id": "lt-0123456789abcdef0",
    "launch_template_version": 7,
    "place": HERE,
    "ports": {"ssh": 22, "http": 80, "node-exporter": 9100},
    "reboot": True,
    "region": "eu-west-1",
    "rejected": None,
    "role": "web",
    "security_group_ids": ["sg-1"],
    "smoke_test": "/usr/bin/true",
    "soak_seconds": 30,
    "source": "candidate",
    "stack": "prod",
    "standing": standing("ami-9"),
    "suite": "s" * 32,
    "timeout_minutes": 60,
    "timeout_seconds": 60,
    "user_data": "#!/bin/sh",
    "when": "2026-01-31T12:00:00+00:00",
    "word": "4e5f6a7b",
}

WITHOUT_ROLE = {
    "aws:ec2/keyPair:KeyPair": "iam/bake.json knows it by its name, validation-key-…",
    "aws:ssm/parameter:Parameter": "its name is /golden-image/ROLE/CHANNEL",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "goes with its group, which has the tag",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "goes with its group, which has the tag",
}
"""Types that could have tags and have none, each with the reason."""


class Monitor(MockMonitor):
    """Notes each resource as the engine gets it, and whose outputs are registered."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.declared: dict[str, Any] = {}
        self.finished: set[str] = set()

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self.declared[answer.urn] = request
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        self.finished.add(request.urn)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def found(package: ModuleType) -> list[type[pulumi.ComponentResource]]:
    """All components of a package."""
    return [
        kind
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        for kind in vars(importlib.import_module(module.name)).values()
        if isinstance(kind, type)
        and issubclass(kind, pulumi.ComponentResource)
        and kind.__module__ == module.name
    ]


def arguments(kind: type[pulumi.ComponentResource]) -> dict[str, Any]:
    """A value for each parameter of a component, the optional ones, too."""
    names = [name for name in inspect.signature(kind).parameters if name not in ("name", "opts")]
    unknown = [name for name in names if name not in ARGUMENTS]
    assert not unknown, f"{kind.__name__} has parameters without a value in ARGUMENTS: {unknown}"
    return {name: ARGUMENTS[name] for name in names}


def declare(kind: type[pulumi.ComponentResource]) -> tuple[Monitor, Notes, pulumi.ComponentResource]:
    """Declare a component named `thing` as the program would, in the middle of a stack."""
    notes = Notes()
    monitor = Monitor(notes)
    pulumi.runtime.set_mocks(notes, monitor=monitor)
    made: list[Any] = []
    options = pulumi.ResourceOptions(protect=True)
    build: Any = kind
    pulumi.runtime.test(  # type: ignore[no-untyped-call]
        lambda: made.append(build("thing", **arguments(kind), opts=options))
    )()
    return monitor, notes, made[0]


def breaches(kind: type[pulumi.ComponentResource]) -> list[str]:
    """All that a component does otherwise than the others."""
    monitor, notes, made = declare(kind)
    # Not the first: what has another parent may reach the engine before the component does.
    own = next(urn for urn, request in monitor.declared.items() if request.name == "thing")
    this = monitor.declared[own]
    children = [child for urn, child in monitor.declared.items() if urn != own]
    wrong = []
    if this.type != f"golden-image:index:{kind.__name__}":
        wrong.append(f"its type is {this.type}")
    if not this.protect:
        wrong.append("it does not hand on its options")
    if own not in monitor.finished:
        wrong.append("it does not register outputs")
    if not children:
        wrong.append("it declares nothing")
    wrong += [f"its output {name} is never set" for name in kind.__annotations__ if not hasattr(made, name)]
    for child in children:
        if child.parent != own:
            wrong.append(f"{child.name} has another parent")
        if not child.name.startswith("thing-"):
            wrong.append(f"{child.name} is not named after it: there could not be two")
        wrong += [f"{child.name} lacks Role in {field}" for field in untagged(child.type, notes, child.name)]
    return wrong


def untagged(token: str, notes: Notes, name: str) -> Iterator[str]:
    """The inputs of a resource that hold tags, or could, without the role."""
    inputs = notes.inputs[name]
    if taggable(token) and token not in WITHOUT_ROLE and not has_role(inputs.get("tags")):
        yield "tags"
    if "volumeTags" in inputs and not has_role(inputs["volumeTags"]):
        yield "volumeTags"
    for number, launched in enumerate(inputs.get("tagSpecifications", [])):
        if not has_role(launched["tags"]):
            yield f"tagSpecifications[{number}]"


def taggable(token: str) -> bool:
    """Whether AWS's provider takes tags for a type such as ``aws:ec2/instance:Instance``."""
    package, module, name = token.split(":")
    if package != "aws":
        return False
    kind = getattr(getattr(pulumi_aws, module.partition("/")[0]), name)
    return "tags" in inspect.signature(kind._internal_init).parameters


def has_role(tags: Any) -> bool:
    """Whether tags, as a mapping or as Auto Scaling's list, name the role."""
    if not isinstance(tags, Mapping):
        tags = {tag["key"]: tag["value"] for tag in tags or []}
    return bool(tags.get("Role") == ARGUMENTS["role"])


@pytest.fixture(autouse=True)
def _no_engine() -> Iterator[None]:
    yield
    runtime_settings.reset_options()


@pytest.mark.parametrize("kind", found(components), ids=lambda kind: kind.__name__)
def test_a_component_is_as_the_others(kind: type[pulumi.ComponentResource]) -> None:
    assert breaches(kind) == []


def test_a_stack_from_before_roles_were_folders_keeps_its_fleet() -> None:
    """The engine finds a resource by type and name: under its type of before, too."""
    fleet = next(one for one in declare(Fleet)[0].declared.values() if one.type == "golden-image:index:Fleet")
    assert [alias.spec.type for alias in fleet.aliases] == ["golden-image:index:WebFleet"]
    assert not any(alias.spec.name for alias in fleet.aliases)


def test_no_type_is_excused_that_no_component_declares() -> None:
    declared = {request.type for kind in found(components) for request in declare(kind)[0].declared.values()}
    assert set(WITHOUT_ROLE) <= declared
