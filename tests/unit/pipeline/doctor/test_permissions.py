"""Permissions: asking changes nothing, and the answers add up."""

from typing import Any, get_args

import pytest
from botocore import xform_name
from botocore.stub import Stubber

from pipeline.doctor import permissions
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Status, Subject
from pipeline.doctor.permissions import allowed, calls, code_of, needed_actions
from pipeline.doctor.stacks import Policy
from pipeline.errors import PipelineError
from tests.unit.pipeline.doctor.making import DEV, GROUP, OWN_SOURCE, REGION, source_image, stack

SUBJECT = Subject("permissions", "stack dev")


def attempt(account: Account, action: str, given: Any) -> bool | None:
    return allowed(action, code_of(account, action, given)[0])


ALL = set(needed_actions(get_args(Policy), group=True))


@pytest.mark.usefixtures("aws")
def test_every_action_is_one_of_aws() -> None:
    operations: dict[str, set[str]] = {}
    for action in ALL | set(calls(DEV)):
        service, _, name = action.partition(":")
        if service not in operations:
            client = Account(REGION).client(permissions.CLIENTS.get(service, service))
            names = client.meta.service_model.operation_names
            operations[service] = {xform_name(name) for name in names}
        assert xform_name(name) in operations[service], action


def test_no_arguments_are_kept_for_what_no_policy_has() -> None:
    assert set(calls(DEV)) <= ALL


@pytest.mark.usefixtures("aws")
def test_asking_changes_nothing() -> None:
    account = Account(REGION)
    ec2 = account.client("ec2")
    source_image(ec2)
    dev = stack(bake=OWN_SOURCE)
    given = {**calls(dev), "ec2:RunInstances": permissions.launch(account, dev)}
    before = everything(ec2)
    answers = {action: attempt(account, action, given.get(action)) for action in ALL}
    assert everything(ec2) == before
    assert False not in answers.values()
    for action in ("ec2:RunInstances", "ec2:CreateKeyPair", "ec2:DescribeImages", "ssm:GetParameter"):
        assert answers[action] is True, action
    for action in ("ssm:PutParameter", "ec2:TerminateInstances", "ec2:DescribeInstanceAttribute"):
        assert answers[action] is None, action


def everything(ec2: Any) -> list[Any]:
    return [
        ec2.describe_instances()["Reservations"],
        ec2.describe_key_pairs()["KeyPairs"],
        ec2.describe_security_groups()["SecurityGroups"],
        ec2.describe_launch_templates()["LaunchTemplates"],
        ec2.describe_images(Owners=["self"])["Images"],
        ec2.describe_tags()["Tags"],
    ]


@pytest.mark.usefixtures("aws")
def test_a_launch_is_not_tried_without_a_source_image() -> None:
    with pytest.raises(PipelineError, match="matches no image"):
        permissions.launch(Account(REGION), DEV)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("code", "answer"),
    [("UnauthorizedOperation", False), ("DryRunOperation", True), ("InvalidParameterValue", None)],
)
def test_the_answer_to_a_dry_run(code: str, *, answer: bool | None) -> None:
    account = Account(REGION)
    with Stubber(account.client("ec2")) as stub:
        stub.add_client_error("create_key_pair", code, http_status_code=412)
        assert attempt(account, "ec2:CreateKeyPair", {"KeyName": "a"}) is answer


def test_what_is_denied_fails_with_the_reasons_and_what_cannot_be_verified_is_named() -> None:
    needed = {"a:One": "the first", "a:Two": "the second", "a:Three": "the third"}
    answers: dict[str, bool | None] = {"a:One": True, "a:Two": False, "a:Three": None}
    denied = permissions.judge(SUBJECT, needed, answers, ["bake"])
    assert denied.status is Status.FAIL
    assert denied.seen == "1 of 3 actions are denied:\na:Two: the second"
    assert "iam/bake.json" in denied.cure
    well = permissions.judge(SUBJECT, needed, {**answers, "a:Two": True}, ["bake", "group"])
    assert well.status is Status.OK
    assert "1 of 3 actions could not be verified (they need a real call): a:Three" in well.seen
    well = permissions.judge(SUBJECT, needed, dict.fromkeys(needed, True), ["bake", "group"])
    assert well.seen == "all 3 actions of iam/bake.json and iam/group.json are allowed"


def test_what_only_groups_need_is_not_asked_of_a_stage_without_one() -> None:
    for name, purpose in (("prod", "update"), ("prod", "preview"), ("dev", "operate")):
        without, with_group = (stack(name, purpose), stack(name, purpose, fleet=GROUP))  # type: ignore[arg-type]
        asked = [set(needed_actions(one.policies, group=one.asks_of_groups)) for one in (without, with_group)]
        assert asked[0] < asked[1]
        assert "autoscaling:DescribeInstanceRefreshes" in asked[1] - asked[0]


def test_a_soak_asks_of_the_group_of_the_stage_before() -> None:
    soaks, plain = stack("prod", soak="24h"), stack("prod")
    asked = [set(needed_actions(one.policies, group=one.asks_of_groups)) for one in (soaks, plain)]
    assert asked[0] - asked[1] == {"autoscaling:DescribeAutoScalingGroups"}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("code", "answer"), [("AccessDenied", False), ("ValidationError", True), ("ResourceContention", None)]
)
def test_a_group_that_is_not_there_yet_is_an_answer(code: str, *, answer: bool | None) -> None:
    account = Account(REGION)
    action = "autoscaling:DescribeInstanceRefreshes"
    with Stubber(account.client("autoscaling")) as stub:
        stub.add_client_error("describe_instance_refreshes", code)
        assert attempt(account, action, calls(stack(fleet=GROUP))[action]) is answer


@pytest.mark.usefixtures("aws")
def test_a_launch_that_ec2_would_refuse_fails_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "The specified instance type is not eligible for Free Tier."
    code = "InvalidParameterCombination"
    monkeypatch.setattr(
        permissions,
        "code_of",
        lambda _, action, __: (code, text) if action == "ec2:RunInstances" else ("DryRunOperation", ""),
    )
    account = Account(REGION)
    source_image(account.client("ec2"))
    may, launch = permissions.check(account, stack(bake=OWN_SOURCE))
    assert (may.status, launch.status) == (Status.OK, Status.FAIL)
    assert launch.seen == f"{code}: {text}"
    assert "Pulumi.dev.yaml" in launch.cure
