"""The IAM policies of iam/, held against the calls of a whole life: nothing is missing, nothing is unused.

Everybody acts under a policy, and the lab refuses what it does not allow: actions, resources, and tags that are not as
its conditions want them (lab/access.py says how far).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.permissions import ALWAYS_ALLOWED
from lab.workbench import Run, Workbench
from tests.e2e.registry import Registry, registry, remove
from tests.policies import POLICIES, actions, document, not_in_the_lab

DEV = "lab/stacks/Pulumi.dev.yaml"
FAILING_CHECK = 'def test_never(host):\n    assert host.file("/nowhere").exists\n'
REVIEWER, BAKER, PROMOTER = "a-reviewer", "a-baker", "a-promoter"
"""Who tries what the policy of a preview, a bake, a promotion does not allow; so that it does not count as needed."""


@dataclass
class Cast:
    """People and pipelines, each under the policy of the same name."""

    bench: Workbench
    images: Registry

    def act(self, who: str, *argv: str) -> Run:
        return self.bench.run(*argv, env={"AWS_ACCESS_KEY_ID": who})

    def pulumi(self, who: str, command: str, stack: str, *options: str) -> Run:
        return self.act(who, *self.bench.pulumi_argv(command, stack, *options))

    def up(self, who: str, stack: str) -> Run:
        return self.pulumi(who, "up", stack, "--yes", "--skip-preview")

    def destroy(self, who: str, stack: str) -> Run:
        return self.pulumi(who, "destroy", stack, "--yes", "--skip-preview")

    def cli(self, who: str, *words: str) -> Run:
        return self.act(who, "python", "-m", "pipeline", *words)


@pytest.fixture(scope="module")
def cast(bench: Workbench) -> Iterator[Cast]:
    documents = {policy: [document(policy)] for policy in POLICIES}
    tries = {REVIEWER: "preview", BAKER: "bake", PROMOTER: "promote"} | {
        doctor_of(policy): policy for policy in POLICIES
    }
    bench.set_permissions({**documents, **{who: documents[policy] for who, policy in tries.items()}})
    bench.forget_calls()
    before = own_images(bench)
    with registry(bench) as images:
        yield Cast(bench, images)
    bench.set_permissions({})
    for image in own_images(bench) - before:
        remove(bench.client("ec2"), image)


def doctor_of(policy: str) -> str:
    """Who runs the doctor under a policy: its dry runs try all of it, and must not count as needed."""
    return f"a-doctor-of-{policy}"


def own_images(bench: Workbench) -> set[str]:
    return {image["ImageId"] for image in bench.client("ec2").describe_images(Owners=["self"])["Images"]}


def succeeded(run: Run) -> None:
    assert run.status == 0
    assert "not authorized" not in run.output


def refused(run: Run, action: str) -> None:
    """One error that names the action; the engine says beside it that the update failed."""
    assert run.status != 0
    assert f"is not authorized to perform: {action}" in run.output
    assert "Traceback" not in run.output
    errors = run.output[run.output.index("Diagnostics:") :]
    assert errors.count("is not authorized to perform: ") == 1


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
    succeeded(cast.up("promote", "prod"))
    first = bench.outputs("prod")["imageId"]
    second = cast.images.validated("web", 1)[0]
    bench.pin("prod", second)
    succeeded(cast.up("promote", "prod"))
    assert bench.holders("web", "prod") == [second]
    config = str(bench.stack_file("prod"))
    succeeded(cast.cli("preview", "rollback", "prod", "--config-file", config))
    assert first in bench.stack_file("prod").read_text()


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
    run = examined(cast, doctor_of(policy), *stacks, "--for", purpose)
    report = json.loads(run.output)
    assert run.status == 0
    assert report["ready"]
    assert "not checked" not in {one["seen"] for one in report["findings"]}
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


def examined(cast: Cast, who: str, *words: str) -> Run:
    return cast.cli(who, "doctor", *words, "--json", "--config-file", "lab/stacks/Pulumi.{stack}.yaml")


def looked_at(calls: list[dict[str, Any]], policy: str) -> set[str]:
    """What the doctor itself reads of EC2: no dry run, and so not what it only asks about."""
    mine = [call for call in calls if call["key"] == doctor_of(policy)]
    return {f"ec2:{call['action']}" for call in mine if call["service"] == "ec2" and not call["dry"]}


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
    for policy in POLICIES:
        recorded = {f"{call['service']}:{call['action']}" for call in calls if call["key"] == policy}
        recorded -= ALWAYS_ALLOWED
        assert recorded, f"nobody acted under {policy}"
        recorded |= looked_at(calls, policy)
        elsewhere = set(not_in_the_lab()[policy])
        missing += sorted(f"{policy}: {action}" for action in recorded - actions(policy))
        unused += sorted(f"{policy}: {action}" for action in actions(policy) - recorded - elsewhere)
        seen += sorted(f"{policy}: {action}" for action in recorded & elsewhere)
    print(f"needed and not allowed: {missing}")  # the two lists are what this file is for
    print(f"allowed and never used: {unused}")
    assert missing == []
    assert unused == []
    assert seen == [], "the lab does see them: strike them from iam/not-in-the-lab.yaml"
