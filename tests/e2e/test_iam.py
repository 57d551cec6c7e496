"""The IAM policies of iam/, held against the calls of a whole life: nothing is missing, nothing is unused.

Everybody acts under a policy, and the lab refuses what it does not allow: actions, resources, and tags that are not as
its conditions want them (lab/access.py says how far).
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab import access, surroundings
from lab.permissions import ALWAYS_ALLOWED
from lab.settings import SUBNET_ID
from lab.workbench import Workbench
from tests.e2e.cast import (
    BAKER,
    BORNE,
    PROMOTER,
    REVIEWER,
    ROLLER,
    Cast,
    doctor_of,
    examined,
    looked_at,
    made_every_check,
    own_images,
    refused,
    succeeded,
)
from tests.e2e.crew import crew
from tests.e2e.registry import registry, remove
from tests.policies import actions, document, not_in_the_lab

DEV = "lab/stacks/Pulumi.dev.yaml"
HOUR = 3600
FAILING_CHECK = 'def test_never(host):\n    assert host.file("/nowhere").exists\n'


@pytest.fixture(scope="module")
def cast(bench: Workbench) -> Iterator[Cast]:
    tries = {REVIEWER: "preview", BAKER: "bake", PROMOTER: ROLLER} | {doctor_of(who): who for who in BORNE}
    borne = {**BORNE, **{who: BORNE[other] for who, other in tries.items()}}
    bench.set_permissions({who: [document(one) for one in policies] for who, policies in borne.items()})
    bench.forget_calls()
    before = own_images(bench)
    with registry(bench) as images:
        yield Cast(bench, images)
    bench.set_permissions({})
    for image in own_images(bench) - before:
        remove(bench.client("ec2"), image)


def test_baking_needs_no_more_than_its_policy(cast: Cast) -> None:
    bench = cast.bench
    bench.set_version("7.0.0")
    succeeded(cast.pulumi("preview", "preview", "dev"))
    up = cast.up("bake", "dev")
    succeeded(up)
    assert "Creating AMI" in up.output
    # Machines that had stopped are started, a rule and the launch template change in place.
    bench.edit(DEV, "timeoutSeconds: .*", "timeoutSeconds: 130")
    bench.edit(DEV, "allowedCidr: .*", "allowedCidr: 172.16.0.0/12")
    bench.edit(DEV, "(fleet:\n +instanceType:) .*", r"\1 t3.small")
    again = cast.up("bake", "dev")
    succeeded(again)
    assert "starting i-" in again.output
    # What errors tell people to do when a machine is gone.
    succeeded(cast.pulumi("bake", "refresh", "dev", "--yes", "--skip-preview"))
    # The stack's label moves from the channel's earlier version to the next.
    bench.set_version("7.0.1")
    succeeded(cast.up("bake", "dev"))


def test_promoting_and_rolling_back_need_no_more_than_their_policy(cast: Cast) -> None:
    bench = cast.bench
    bench.edit(bench.stack_file("prod"), "^  golden-image:from: .*", r"\g<0>\n  golden-image:soak: 1h")
    surroundings.advance(bench.settings, HOUR)
    succeeded(cast.up("promote", "prod"))
    first = bench.outputs("prod")["imageId"]
    second = cast.images.validated("web", 1)[0]
    bench.pin("prod", second)
    succeeded(cast.up("promote", "prod"))
    assert bench.holders("web", "prod") == [second]
    # Who bakes could not ask for the group of the stage before.
    bench.edit(bench.stack_file("prod"), "^  golden-image:soak: 1h\n", "")
    config = str(bench.stack_file("prod"))
    succeeded(cast.cli("preview", "rollback", "prod", "--config-file", config))
    assert first in bench.stack_file("prod").read_text()


def test_a_group_needs_no_more_than_its_policy_beside_that_of_promotions(cast: Cast) -> None:
    bench = cast.bench
    with crew(bench, cast.images, ROLLER, 4) as one:
        first, second, third, bad = one.images
        succeeded(one.up(first))
        assert one.tags(first)["Deployed-prod"].endswith(" creation")
        succeeded(one.up(second))
        # A person looks at a roll-out, and asks AWS to roll it back.
        one.begin_another_refresh()
        bench.await_reads()
        file = ("--config-file", str(bench.stack_file("crew")))
        succeeded(cast.cli("preview", "rollout", "crew", *file))
        succeeded(cast.cli("operate", "rollout", "crew", "--return", *file))
        one.await_no_refresh()
        # Other sizes and another target group, in place; and what an update that was killed has left is undone: AWS is
        # asked to roll it back, and when it cannot, to cancel it.
        one.sizes, one.uses = (1, 3), 1
        one.begin_another_refresh()
        bench.set_faults({
            "action": "RollbackInstanceRefresh", "kind": "error", "key": ROLLER, "code": "IrreversibleInstanceRefresh",
        })  # fmt: skip
        succeeded(one.up(third))
        assert bench.struck() == ["RollbackInstanceRefresh"]
        assert "Deployed-prod" in one.tags(third)
        failed = one.fail(bad)
        assert failed.status != 0
        assert "not authorized" not in failed.output
        assert one.tags(bad)["Rejected"].startswith("prod ")
        assert bench.holders("crew", "prod") == [third]
        succeeded(cast.cli("operate", "restore", bad))
        assert "Rejected" not in one.tags(bad)
        for who, purpose in ((ROLLER, "update"), ("preview", "preview"), ("operate", "operate")):
            made_every_check(cast, doctor_of(who), "crew", "--for", purpose)
        succeeded(one.up(third))
        succeeded(cast.pulumi("preview", "preview", "crew", "--refresh"))
        succeeded(one.run("destroy"))


def test_who_promotes_to_prod_cannot_touch_the_group_of_another_stage(cast: Cast) -> None:
    bench, name = cast.bench, "web-pre-prod"
    ec2, owner, promoter = (
        bench.client("ec2"),
        bench.client("autoscaling"),
        bench.client("autoscaling", PROMOTER),
    )
    template = ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={"ImageId": cast.images.validated("other", 1)[0], "InstanceType": "t3.micro"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    named = {"LaunchTemplateId": template, "Version": "1"}
    group: dict[str, Any] = {"AutoScalingGroupName": name}
    tag = {
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "PropagateAtLaunch": False,
        "Key": "ImageChannel",
    }
    owner.create_auto_scaling_group(
        **group, MinSize=0, MaxSize=1, LaunchTemplate=named, VPCZoneIdentifier=SUBNET_ID,
        Tags=[{**tag, "Value": "pre-prod"}],
    )  # fmt: skip
    desired = {"LaunchTemplate": named}
    attempts: dict[str, Callable[[], Any]] = {
        "StartInstanceRefresh": lambda: promoter.start_instance_refresh(
            **group, DesiredConfiguration=desired
        ),
        "RollbackInstanceRefresh": lambda: promoter.rollback_instance_refresh(**group),
        "CancelInstanceRefresh": lambda: promoter.cancel_instance_refresh(**group),
        "UpdateAutoScalingGroup": lambda: promoter.update_auto_scaling_group(**group, MaxSize=9),
        "DeleteAutoScalingGroup": lambda: promoter.delete_auto_scaling_group(**group, ForceDelete=True),
        "AttachLoadBalancerTargetGroups": lambda: promoter.attach_load_balancer_target_groups(
            **group, TargetGroupARNs=["arn"]
        ),
        "CreateOrUpdateTags": lambda: promoter.create_or_update_tags(Tags=[{**tag, "Value": "prod"}]),
    }
    for action, attempt in attempts.items():
        with pytest.raises(ClientError, match=f"not authorized to perform: autoscaling:{action} on resource"):
            attempt()
    (found,) = owner.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert (found["MaxSize"], [one["Value"] for one in found["Tags"]]) == (1, ["pre-prod"])
    owner.delete_auto_scaling_group(**group, ForceDelete=True)
    ec2.delete_launch_template(LaunchTemplateId=template)


def test_a_preview_and_its_note_only_read(cast: Cast) -> None:
    for stack in ("dev", "prod"):
        succeeded(cast.pulumi("preview", "preview", stack, "--refresh"))
    note = cast.cli("preview", "note", "prod", "--config-file", "lab/stacks/Pulumi.{stack}.yaml")
    succeeded(note)
    assert "### prod: web image" in note.output
    mine = [call["action"] for call in cast.bench.calls() if call["key"] == "preview"]
    assert mine
    assert {action for action in mine if not action.startswith(("Describe", "Get"))} == set()


def test_who_may_only_preview_cannot_update(cast: Cast) -> None:
    before = cast.bench.pointer("web", "prod")
    refused(cast.up(REVIEWER, "prod"), "ec2:DeleteTags")
    assert cast.bench.pointer("web", "prod") == before


def test_who_bakes_cannot_move_prod(cast: Cast) -> None:
    before = cast.bench.pointer("web", "prod")
    refused(cast.up(BAKER, "prod"), "ssm:PutParameter")
    assert cast.bench.pointer("web", "prod") == before


def test_who_bakes_cannot_end_others_machines_nor_forge_or_remove_what_counts(cast: Cast) -> None:
    bench, good = cast.bench, cast.bench.outputs("dev")["imageId"]
    baker = bench.client("ec2", BAKER)
    validated = [{"Key": "Validated", "Value": "by hand"}]
    plain = cast.images.image("by-hand", {"Role": "web"})
    attempts: dict[str, Callable[[], Any]] = {
        "TerminateInstances": lambda: baker.terminate_instances(InstanceIds=[cast.images.machine]),
        "CreateTags": lambda: baker.create_tags(Resources=[plain], Tags=validated),
        "DeleteTags": lambda: baker.delete_tags(Resources=[good], Tags=validated),
        "DeregisterImage": lambda: baker.deregister_image(ImageId=good),
        "RunInstances": lambda: baker.run_instances(ImageId=good, MinCount=1, MaxCount=1),
    }
    for action, attempt in attempts.items():
        with pytest.raises(ClientError, match=f"not authorized to perform: ec2:{action} on resource"):
            attempt()
    mine = {"Key": "ManagedBy", "Value": "packer"}
    for key in ("Rejected", "Deployed-prod", "Held-prod", "Validated"):
        with pytest.raises(ClientError, match="not authorized to perform: ec2:CreateTags on resource"):
            baker.create_tags(Resources=[good], Tags=[mine, {"Key": key, "Value": "by hand"}])


@pytest.mark.parametrize(
    ("policy", "purpose", "stacks"),
    [
        ("bake", "update", ["dev"]),
        ("promote", "update", ["prod"]),
        ("preview", "preview", ["dev", "prod"]),
        ("operate", "operate", ["dev", "prod"]),
    ],
)
def test_the_doctor_makes_every_check_under_the_policy_of_the_work(
    cast: Cast, policy: str, purpose: str, stacks: list[str]
) -> None:
    report = made_every_check(cast, doctor_of(policy), *stacks, "--for", purpose)
    found = [one for one in report["findings"] if one["check"] == "permissions"]
    assert [one["status"] for one in found] == ["ok"] * len(stacks)
    if policy == "bake":
        (subnet,) = [one for one in report["findings"] if one["check"] == "subnet of the builder"]
        assert "route out by igw-" in subnet["seen"]


def test_the_doctor_finds_the_policy_of_a_promotion_unfit_to_bake(cast: Cast) -> None:
    run = examined(cast, PROMOTER, "dev")
    assert run.status == 1
    findings = json.loads(run.output)["findings"]
    assert "not checked" not in {one["seen"] for one in findings}
    (finding,) = [one for one in findings if one["check"] == "permissions"]
    assert finding["status"] == "fail"
    assert "ec2:CreateKeyPair: Packer: a key for its builder" in finding["seen"]
    assert "ec2:RunInstances" in finding["seen"]
    assert "iam/bake.json" in finding["cure"]


def test_a_validation_that_fails_needs_no_more_than_the_policy(cast: Cast) -> None:
    (cast.bench.folder / "packer/checks/test_never.py").write_text(FAILING_CHECK)
    up = cast.up("bake", "dev")
    assert up.status != 0
    assert "test_never" in up.output
    assert "the last lines of its console" in up.output
    assert "not authorized" not in up.output


def test_people_need_no_more_than_their_policy(cast: Cast) -> None:
    image = cast.images.validated("db", 1)[0]
    succeeded(cast.cli("operate", "revoke", image, "--reason", "CVE-2026-1"))
    succeeded(cast.cli("operate", "restore", image))
    ssm = cast.bench.client("ssm")
    version = ssm.get_parameter(Name="/golden-image/web/prod")["Parameter"]["Version"]
    file = str(cast.bench.stack_file("prod"))
    succeeded(cast.cli("operate", "adopt", "prod", "--version", str(version), "--config-file", file))
    retire = cast.cli("operate", "retire", "--days", "0", "--settled-days", "0", "--yes", "--json")
    succeeded(retire)
    assert {one.partition("-")[0] for one in json.loads(retire.output)["removed"]} == {"ami", "snap"}


def test_removing_a_stack_needs_no_more_than_its_policy(cast: Cast) -> None:
    succeeded(cast.destroy("promote", "prod"))
    succeeded(cast.destroy("bake", "dev"))


def test_no_needed_action_is_missing_and_none_is_unused(cast: Cast) -> None:
    calls = cast.bench.calls()
    missing, unused, seen = [], [], []
    for who, policies in BORNE.items():
        recorded = {access.named(call["service"], call["action"]) for call in calls if call["key"] == who}
        recorded -= ALWAYS_ALLOWED
        assert recorded, f"nobody acted as {who}"
        recorded |= looked_at(calls, who)
        # What a policy beside another one is for is what it adds.
        beside: set[str] = set().union(*map(actions, policies[:-1]))
        allowed, elsewhere = actions(policies[-1]), set(not_in_the_lab()[policies[-1]])
        missing += sorted(f"{who}: {action}" for action in recorded - allowed - beside)
        unused += sorted(f"{who}: {action}" for action in allowed - recorded - elsewhere)
        seen += sorted(f"{who}: {action}" for action in recorded & elsewhere)
    print(f"needed and not allowed: {missing}")  # the two lists are what this file is for
    print(f"allowed and never used: {unused}")
    assert missing == []
    assert unused == []
    assert seen == [], "the lab does see them: strike them from iam/not-in-the-lab.yaml"
