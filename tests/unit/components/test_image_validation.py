"""What a validation declares."""

import json
from dataclasses import replace
from typing import Any, cast

import pulumi
import pulumi_aws as aws
import pytest
from pulumi_command.local import Command

from components import step
from components.image_validation import ImageValidation, evidence
from components.validation_machines import ClonePlace, CloneShape
from tests.unit.components.making import HERE, IMAGE, VERDICT, has, plain


def validation(clones: int = 2, *, encrypt: bool = True, place: ClonePlace = HERE) -> ImageValidation:
    return ImageValidation(
        "validation",
        role="web",
        ports={"ssh": 22, "http": 80, "node-exporter": 9100},
        health_port=80,
        image_id=IMAGE,
        suite="s" * 32,
        clones=CloneShape(
            count=clones, instance_type="t3.micro", user="ec2-user", encrypt_root=encrypt, keep_minutes=5
        ),
        place=place,
        region="eu-west-1",
        timeout_seconds=60,
        environment={"AWS_REGION": "eu-west-1"},
    )


def test_clones_boot_from_the_image(declared: Any) -> None:
    notes = declared(lambda: validation().image_id.apply(lambda value: has(value, IMAGE)))
    for number in (1, 2):
        clone = notes.inputs[f"validation-clone-{number}"]
        assert clone["ami"] == IMAGE
        assert clone["metadataOptions"] == {"httpEndpoint": "enabled", "httpTokens": "required"}
        assert clone["instanceInitiatedShutdownBehavior"] == "stop"
        assert clone["rootBlockDevice"] == {"encrypted": True}
        assert clone["volumeTags"] == {"Purpose": "validation", "Role": "web"}
    assert not [name for name in notes.inputs if "stopped" in name], (
        "the step stops them, and nobody waits for it"
    )


def test_nobody_else_can_reach_them(declared: Any) -> None:
    notes = declared(lambda: validation().image_id)
    open_to = {
        (rule["fromPort"], rule["cidrIpv4"])
        for name, rule in notes.inputs.items()
        if name in ("validation-ssh", "validation-http", "validation-node-exporter")
    }
    assert open_to == {(port, "192.0.2.7/32") for port in (22, 80, 9100)}


@pytest.mark.parametrize(
    ("from_here", "preview", "kept"),
    [(True, True, ["cidrIpv4"]), (True, False, None), (False, True, None)],
)
def test_a_preview_keeps_the_range_of_another_runner(
    declared: Any, monkeypatch: pytest.MonkeyPatch, *, from_here: bool, preview: bool, kept: list[str] | None
) -> None:
    options: dict[str, pulumi.ResourceOptions] = {}
    rule, command = aws.vpc.SecurityGroupIngressRule, Command

    def noting(kind: Any) -> Any:
        def declare(name: str, **arguments: Any) -> Any:
            options[name] = arguments["opts"]
            return kind(name, **arguments)

        return declare

    monkeypatch.setattr(aws.vpc, "SecurityGroupIngressRule", noting(rule))
    monkeypatch.setattr(step, "Command", noting(command))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    declared(lambda: validation(place=replace(HERE, from_here=from_here)).image_id)
    assert {
        options[f"validation-{port}"].ignore_changes and tuple(kept or ()) for port in ("ssh", "http")
    } == {tuple(kept) if kept else None}
    assert len(cast("Any", options["validation-checks"].depends_on)) == 3, "the rules come before the checks"


@pytest.mark.parametrize("asked", [True, False, None])
def test_a_public_address_can_be_asked_for(declared: Any, *, asked: bool | None) -> None:
    notes = declared(lambda: validation(place=replace(HERE, public_ip=asked)).image_id)
    assert notes.inputs["validation-clone-1"].get("associatePublicIpAddress") is asked


def test_the_key_is_printed_nowhere_and_the_evidence_stays(declared: Any) -> None:
    notes = declared(lambda: validation().validated)
    assert notes.inputs["validation-keygen"]["logging"] == "stderr"
    assert notes.inputs["validation-key"]["publicKey"] == "ssh-ed25519 AAAA"
    assert notes.inputs["validation-evidence"]["value"] == evidence(VERDICT)
    assert len(evidence(VERDICT)) <= 256


def test_the_checks_run_again_for_other_machines_or_another_suite_only(declared: Any) -> None:
    notes = declared(lambda: validation(clones=1).image_id)
    checks = notes.inputs["validation-checks"]
    assert checks["triggers"] == ["validation-clone-1-id", "s" * 32]
    plan = json.loads(plain(checks["stdin"]))
    assert plan["instanceIds"] == ["validation-clone-1-id"]
    assert "192." not in plain(checks["stdin"]), "addresses change whenever a machine is stopped"
