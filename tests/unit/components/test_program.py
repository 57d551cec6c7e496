"""What the components declare, seen by an engine that only takes notes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.runtime import settings as runtime_settings
from pulumi_command.local import Command

from components import step
from components.fleet import Fleet
from components.image_build import ImageBuild
from components.image_promotion import ImagePromotion
from components.image_validation import ImageValidation, evidence
from components.validation_machines import ClonePlace, CloneShape, user_data
from pipeline.baking.bakekey import Ingredients
from pipeline.model import pointer_description, returned_description
from pipeline.promote.standing import Standing, label
from tests.unit.pipeline.making import standing, version

IMAGE = "ami-0123456789abcdef0"
VERDICT = {
    "imageId": IMAGE,
    "validatedAt": "2026-01-31T12:00:00Z",
    "suite": "s" * 32,
    "digest": "d" * 64,
    "report": "r",
}
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


@pytest.fixture
def declared() -> Iterator[Callable[[Callable[[], Any]], Notes]]:
    def run(declare: Callable[[], Any]) -> Notes:
        notes = Notes()
        pulumi.runtime.set_mocks(notes)
        pulumi.runtime.test(declare)()  # type: ignore[no-untyped-call]
        return notes

    yield run
    runtime_settings.reset_options()


def test_a_bake_has_its_key_as_trigger_and_no_delete(declared: Any) -> None:
    def declare() -> Any:
        build = ImageBuild(
            "build",
            ingredients=MADE_OF,
            region="eu-west-1",
            access={"subnet_id": "s"},
            timeout_minutes=60,
            environment={"AWS_REGION": "eu-west-1"},
        )
        return build.image_id.apply(lambda value: _is(value, IMAGE))

    step = declared(declare).inputs["build-bake"]
    assert step["triggers"] == [MADE_OF.key]
    assert "delete" not in step
    assert step["interpreter"] == ["bin/step"]
    assert json.loads(step["stdin"]) == {
        "bakeKey": MADE_OF.key,
        "region": "eu-west-1",
        "files": {"clean.sh": "d1"},
        "serial": 2,
        "sourceImage": None,
        "variables": {"image_version": "1"},
        "access": {"subnet_id": "s"},
        "timeoutMinutes": 60,
    }


def _is(value: Any, wanted: Any) -> None:
    assert value == wanted


HERE = ClonePlace(subnet_id="subnet-1", vpc_id="vpc-1", allowed_cidr="192.0.2.7/32", address="public")


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
    notes = declared(lambda: validation().image_id.apply(lambda value: _is(value, IMAGE)))
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
    plan = json.loads(_plain(checks["stdin"]))
    assert plan["instanceIds"] == ["validation-clone-1-id"]
    assert "192." not in _plain(checks["stdin"]), "addresses change whenever a machine is stopped"


def _plain(value: Any) -> str:
    text = value["value"] if isinstance(value, dict) else value
    assert isinstance(text, str)
    return text


def test_user_data_stops_the_machine() -> None:
    text = user_data(suite="s1", keep_minutes=7)
    assert text.startswith("#cloud-config\n")
    assert "--on-active=7min" in text
    assert text != user_data(suite="s2", keep_minutes=7), "other checks, other machines"


def promotion(declared: Any, stands: Standing, rejected: str | None = None) -> Notes:
    def declare() -> Any:
        promotion = ImagePromotion(
            "promotion",
            role="web",
            channel="prod",
            source="candidate",
            image_id=IMAGE,
            standing=stands,
            word="4e5f6a7b",
            region="eu-west-1",
            environment={"AWS_REGION": "eu-west-1"},
            rejected=rejected,
        )
        return promotion.image_id.apply(lambda value: _is(value, IMAGE))

    notes: Notes = declared(declare)
    return notes


def plan_of(notes: Notes, step: str) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(_plain(notes.inputs[f"promotion-{step}"]["stdin"]))
    return plan


def test_a_promotion_is_pointer_then_tag(declared: Any) -> None:
    notes = promotion(declared, standing("ami-9"))
    pointer = notes.inputs["promotion-pointer"]
    assert pointer["name"] == "/golden-image/web/prod"
    assert pointer["dataType"] == "aws:ec2:image"
    assert pointer["insecureValue"] == IMAGE
    text = "The image that channel prod of role web holds, taken from candidate"
    assert pointer["description"] == f"{text} (4e5f6a7b)", "written, whatever the state says of it"
    assert notes.inputs["promotion-channel"] == {"resourceId": IMAGE, "key": "ImageChannel", "value": "prod"}
    asked = {"region": "eu-west-1", "role": "web", "channel": "prod", "stack": "prod", "imageId": IMAGE}
    assert plan_of(notes, "claim") == {**asked, "label": "4e5f6a7b"}
    assert plan_of(notes, "held") == {**asked, "claim": OUTPUT["claim"], "pointerVersion": 5}
    settled = {**asked, "source": "candidate", "when": "2026-01-31T12:00:00+00:00"}
    assert plan_of(notes, "settle") == settled
    assert notes.inputs["promotion-settle"]["delete"] == "leave"


def test_the_steps_of_a_channel_that_is_as_wanted_have_the_plan_that_they_had(declared: Any) -> None:
    mine = label("prod", "0a1b2c3d")
    wanted = replace(version(4, IMAGE, mine), description=pointer_description("web", "prod", "candidate"))
    for same in (wanted, replace(wanted, description=f"{wanted.description} (8c9d0e1f)")):
        notes = promotion(declared, standing(same))
        assert plan_of(notes, "claim")["label"] == "0a1b2c3d"
        assert notes.inputs["promotion-pointer"]["description"] == same.description
    for other in (
        replace(wanted, image_id="ami-9"),
        replace(wanted, description="taken from elsewhere"),
        replace(wanted, labels=()),
        replace(wanted, labels=(label("dev", "0a1b2c3d"),)),
        replace(wanted, labels=(label("prod", "acknowledged"),)),
    ):
        assert plan_of(promotion(declared, standing(other)), "claim")["label"] == "4e5f6a7b", other


def test_a_promotion_that_finishes_a_return_says_so_and_leaves_the_label_to_the_roll_out(
    declared: Any,
) -> None:
    mine = label("prod", "4e5f6a7b")
    text = returned_description("web", "prod", "candidate", failed="ami-9", to=IMAGE, word="4e5f6a7b")
    returned = replace(version(5, IMAGE), description=text)
    for stands in (standing(("ami-9", mine)), standing(("ami-9", mine), returned)):
        notes = promotion(declared, stands, "ami-9")
        assert notes.inputs["promotion-pointer"]["description"] == text
        assert plan_of(notes, "claim")["label"] == "4e5f6a7b"
        assert plan_of(notes, "held")["returns"] is True


def test_the_provider_may_return_the_earlier_image(declared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notes, "late", "ami-9")
    notes = promotion(declared, standing("ami-9"))
    assert notes.inputs["promotion-channel"]["resourceId"] == IMAGE
    assert plan_of(notes, "settle")["imageId"] == IMAGE


def test_the_launch_template_holds_a_literal_id(declared: Any) -> None:
    def declare() -> Any:
        fleet = Fleet(
            "fleet",
            role="web",
            channel="prod",
            image_id=IMAGE,
            instance_type="t3.medium",
            instance_profile="web",
        )
        return fleet.latest_version.apply(lambda value: _is(value, 7))

    notes = declared(declare)
    template = notes.inputs["fleet-template"]
    assert template["imageId"] == IMAGE
    assert template["namePrefix"] == "web-"
    assert template["tags"] == {"Role": "web", "ImageChannel": "prod"}, "the IAM policies go by it"
    assert template["updateDefaultVersion"] is True
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["iamInstanceProfile"] == {"name": "web"}
    assert "vpcSecurityGroupIds" not in template
