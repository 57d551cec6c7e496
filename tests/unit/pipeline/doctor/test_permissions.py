"""Permissions: every action can be asked about, nothing is changed by asking, and the answers add up."""

import json
from typing import Any, get_args

import pytest
from botocore import xform_name
from botocore.stub import ANY, Stubber

from lab.access import Wanted
from lab.permissions import allows
from pipeline.doctor import permissions, simulation
from pipeline.doctor.account import Account, Identity
from pipeline.doctor.actions import Kind, needed_actions, policy_file
from pipeline.doctor.dryrun import Answer, Real, as_made, attempt
from pipeline.doctor.findings import Status, Subject
from pipeline.doctor.stacks import Place, Stack
from tests.unit.pipeline.doctor.making import DEV, PROD

SUBJECT = Subject("permissions", "account")
PLACE = Place("eu-west-1")
ALL = {action for kind in get_args(Kind) for action in needed_actions(kind)}


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_action_has_a_reason(kind: Kind) -> None:
    assert all(needed_actions(kind).values())


@pytest.mark.parametrize(("kind", "stack"), [("bake", DEV), ("promote", PROD)])
def test_what_is_simulated_is_what_our_policies_allow(kind: Kind, stack: Stack) -> None:
    """Else the doctor would call an identity unfit that bears the very policy which is meant for it."""
    statements = json.loads(policy_file(kind).read_text())["Statement"]
    for action in needed_actions(kind):
        arn = simulation.resource_of(action, stack=stack, account="1")
        wanted = Wanted(action, None if arn == "*" else arn, simulation.context(stack))
        assert any(allows(one, wanted) for one in statements), action


def test_a_policy_for_another_channel_does_not_do() -> None:
    statements = json.loads(policy_file("promote").read_text())["Statement"]
    arn = simulation.resource_of("ssm:PutParameter", stack=DEV, account="1")
    wanted = Wanted("ssm:PutParameter", arn, simulation.context(DEV))
    assert not any(allows(one, wanted) for one in statements)


@pytest.mark.usefixtures("aws")
def test_every_action_is_one_of_aws() -> None:
    operations: dict[str, set[str]] = {}
    for service in ("ec2", "ssm"):
        names = Account(PLACE).client(service).meta.service_model.operation_names
        operations[service] = {xform_name(name) for name in names}
    for action in ALL:
        service, _, name = action.partition(":")
        assert xform_name(name) in operations[service], action


@pytest.mark.usefixtures("aws")
def test_asking_changes_nothing() -> None:
    """Each call is one that boto3 accepts, and nothing is there afterwards."""
    account = Account(PLACE)
    ec2 = account.client("ec2")
    image = ec2.register_image(Name="source", RootDeviceName="/dev/xvda")["ImageId"]
    real = Real(region="eu-west-1", channel="candidate", image_id=image)
    before = everything(ec2)
    answers = {action: attempt(account, action, real) for action in ALL}
    assert everything(ec2) == before
    assert Answer.DENIED not in answers.values()
    for action in ("ec2:RunInstances", "ec2:CreateKeyPair", "ec2:DescribeImages", "ssm:GetParameter"):
        assert answers[action] is Answer.ALLOWED, action
    assert answers["ssm:PutParameter"] is Answer.UNKNOWN


def everything(ec2: Any) -> list[Any]:
    return [
        ec2.describe_instances()["Reservations"],
        ec2.describe_key_pairs()["KeyPairs"],
        ec2.describe_security_groups()["SecurityGroups"],
        ec2.describe_launch_templates()["LaunchTemplates"],
        ec2.describe_images(Owners=["self"])["Images"],
        ec2.describe_tags()["Tags"],
    ]


def test_a_launch_is_not_tried_without_an_image() -> None:
    nothing = Real(region="eu-west-1", channel="candidate")
    assert as_made("RunInstances", nothing) is None
    given = as_made("RunInstances", Real(region="r", channel="c", image_id="ami-1", subnet_id="subnet-1"))
    assert given is not None
    assert given["SubnetId"] == "subnet-1"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("action", "code", "answer"),
    [
        ("CreateKeyPair", "UnauthorizedOperation", Answer.DENIED),
        ("CreateKeyPair", "DryRunOperation", Answer.ALLOWED),
        ("DeregisterImage", "DryRunOperation", Answer.ALLOWED),
        ("DeregisterImage", "InvalidAMIID.NotFound", Answer.UNKNOWN),
        # It may be allowed on images that bear a tag; the one that it was tried on does not exist.
        ("DeregisterImage", "UnauthorizedOperation", Answer.UNKNOWN),
    ],
)
def test_what_ec2_answers_to_a_dry_run(action: str, code: str, answer: Answer) -> None:
    account = Account(PLACE)
    with Stubber(account.client("ec2")) as stub:
        stub.add_client_error(xform_name(action), code, http_status_code=412)
        assert attempt(account, f"ec2:{action}", Real(region="eu-west-1", channel="candidate")) is answer


RESULTS = [
    ({"EvalDecision": "allowed"}, Answer.ALLOWED),
    ({"EvalDecision": "explicitDeny", "MissingContextValues": ["aws:RequestTag/x"]}, Answer.DENIED),
    ({"EvalDecision": "implicitDeny"}, Answer.DENIED),
    ({"EvalDecision": "implicitDeny", "MissingContextValues": []}, Answer.DENIED),
    ({"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:RequestTag/x"]}, Answer.UNKNOWN),
]


@pytest.mark.parametrize(("result", "answer"), RESULTS)
def test_what_a_simulation_says(result: dict[str, Any], answer: Answer) -> None:
    assert simulation.verdict(result) is answer


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("ec2:DescribeImages", "*"),
        ("ec2:StopInstances", "arn:aws:ec2:eu-west-1:1:instance/i-00000000000000000"),
        ("ec2:DeregisterImage", "arn:aws:ec2:eu-west-1::image/ami-00000000000000000"),
        ("ssm:PutParameter", "arn:aws:ssm:eu-west-1:1:parameter/golden-image/web/prod"),
        ("ssm:DescribeParameters", "*"),
    ],
)
def test_what_an_action_is_simulated_on(action: str, arn: str) -> None:
    assert simulation.resource_of(action, stack=PROD, account="1") == arn


@pytest.mark.usefixtures("aws")
def test_the_role_of_a_session_is_simulated() -> None:
    account = Account(PLACE)
    identity = Identity("123456789012", "arn:aws:sts::123456789012:assumed-role/ci/run-7")
    role = "arn:aws:iam::123456789012:role/teams/ci"
    with Stubber(account.client("iam")) as stub:
        stub.add_response(
            "get_role",
            {"Role": {"Arn": role, "Path": "/teams/", "RoleName": "ci", "RoleId": "A" * 16, "CreateDate": 0}},
            {"RoleName": "ci"},
        )
        stub.add_response(
            "simulate_principal_policy",
            {
                "EvaluationResults": [
                    {"EvalActionName": "ec2:DescribeImages", "EvalDecision": "allowed"},
                    {"EvalActionName": "ec2:DescribeTags", "EvalDecision": "implicitDeny"},
                ]
            },
            {
                "PolicySourceArn": role,
                "ActionNames": ["ec2:DescribeImages", "ec2:DescribeTags"],
                "ResourceArns": ["*"],
                "ContextEntries": ANY,
            },
        )
        found = simulation.simulate(account, identity, ["ec2:DescribeImages", "ec2:DescribeTags"], DEV)
    assert found == {"ec2:DescribeImages": Answer.ALLOWED, "ec2:DescribeTags": Answer.DENIED}


def test_denied_and_unknown_are_two_findings() -> None:
    needed = {"a:One": "the first", "a:Two": "the second", "a:Three": "the third"}
    answers = {"a:One": Answer.ALLOWED, "a:Two": Answer.DENIED}
    denied, unknown = permissions.judge(SUBJECT, needed, answers, "tried", "bake.json")
    assert (denied.status, unknown.status) == (Status.FAIL, Status.WARN)
    assert denied.seen == "1 of 3 actions are denied, tried:\na:Two: the second"
    assert "a:Three: the third" in unknown.seen
    assert "iam/bake.json" in denied.cure
    [well] = permissions.judge(SUBJECT, needed, dict.fromkeys(needed, Answer.ALLOWED), "tried", "bake.json")
    assert well.status is Status.OK
