"""Under each policy of iam/ the doctor makes every check of the work that the policy is for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from lab import access
from lab.calls import Caller
from lab.permissions import Permissions
from pipeline.doctor import run
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Finding, Status
from pipeline.doctor.stacks import Policy, Stack
from tests.policies import actions, document
from tests.unit.pipeline.doctor.making import GROUP, OWN_SOURCE, REGION, source_image, stack

WORK: list[tuple[tuple[Policy, ...], Stack]] = [
    (("bake",), stack("dev", bake=OWN_SOURCE)),
    (("bake", "group"), stack("dev", bake=OWN_SOURCE, fleet=GROUP)),
    (("promote",), stack("prod")),
    (("promote",), stack("prod", soak="24h")),
    (("promote", "group"), stack("prod", fleet=GROUP)),
    (("preview",), stack("dev", "preview", bake=OWN_SOURCE)),
    (("preview",), stack("prod", "preview")),
    (("preview",), stack("prod", "preview", fleet=GROUP)),
    (("operate",), stack("dev", "operate", bake=OWN_SOURCE)),
    (("operate",), stack("prod", "operate")),
    (("operate",), stack("prod", "operate", fleet=GROUP)),
]


@dataclass
class Refused:
    """Stands for the HTTP answer of a refusal."""

    status_code: int = 403
    headers: dict[str, str] = field(default_factory=dict)


class Bearer(Account):
    """An account that allows its caller what some policies do."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        super().__init__(REGION)
        self.permissions = Permissions(lambda _: {})
        self.permissions.set({"key": [document(policy) for policy in policies]})
        self.reads: set[str] = set()

    def client(self, service: str) -> Any:
        made = super().client(service)
        made.meta.events.register("before-call", self._judge, unique_id="policy")
        return made

    def _judge(self, *, model: Any, params: Any, **_: Any) -> tuple[Refused, dict[str, Any]] | None:
        body = params["body"]
        given = body if isinstance(body, dict) else json.loads(body or "{}")
        service = model.service_model.signing_name
        action = access.named(service, model.name)
        if "DryRun" not in given:
            self.reads.add(action)
        refusal = self.permissions.refusal(Caller("key", service), model.name, given)
        if refusal is None:
            return None
        return Refused(), {
            "Error": {"Code": "UnauthorizedOperation", "Message": refusal},
            "ResponseMetadata": {},
        }


@pytest.fixture
def region(aws: None, fake_packer: Callable[[str], Path]) -> None:
    """A region in which nothing is wrong: a source image, a route out, and an image in channel candidate."""
    fake_packer("")
    ec2, ssm = boto3.client("ec2", region_name=REGION), boto3.client("ssm", region_name=REGION)
    source_image(ec2)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ssm.put_parameter(Name="/golden-image/web/candidate", Value="ami-1", Type="String")


def examined(policies: Sequence[Policy], stack: Stack) -> tuple[Bearer, list[Finding]]:
    account = Bearer(policies)
    return account, run.of_an_account(account, [stack])


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize(("policies", "stack"), WORK)
def test_every_check_is_made_under_the_policies_of_the_work(
    policies: tuple[Policy, ...], stack: Stack
) -> None:
    account, findings = examined(policies, stack)
    assert [finding for finding in findings if finding.status is not Status.OK] == []
    assert account.reads - {"sts:GetCallerIdentity"} <= {
        action for policy in policies for action in actions(policy)
    }
    checks = {finding.check for finding in findings}
    assert {"credentials", "permissions", "channel"} <= checks
    only_of_a_bake = {"source image", "template", "session", "subnet of the builder", "leftovers of bakes"}
    assert only_of_a_bake <= checks if "bake" in policies else checks.isdisjoint(only_of_a_bake)


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize("policy", ["promote", "preview", "operate"])
def test_a_policy_for_other_work_is_a_failure_and_nothing_is_left_unchecked(policy: Policy) -> None:
    _, findings = examined([policy], WORK[0][1])
    assert "not checked" not in {finding.seen for finding in findings}
    (found,) = [finding for finding in findings if finding.check == "permissions"]
    assert found.status is Status.FAIL
    assert "ec2:RunInstances" in found.seen
    assert "iam/bake.json" in found.cure


@pytest.mark.usefixtures("region")
def test_a_policy_for_another_channel_does_not_fit() -> None:
    _, findings = examined(["promote"], stack("staging"))
    (found,) = [finding for finding in findings if finding.check == "permissions"]
    assert found.status is Status.FAIL
    assert "ssm:LabelParameterVersion" in found.seen
    assert "ec2:CreateLaunchTemplate" in found.seen


@pytest.mark.usefixtures("region")
def test_the_policy_of_a_promotion_alone_does_not_fit_a_stage_with_a_group() -> None:
    _, findings = examined(["promote"], stack("prod", fleet=GROUP))
    assert "not checked" not in {finding.seen for finding in findings}
    (found,) = [finding for finding in findings if finding.check == "permissions"]
    assert found.status is Status.FAIL
    assert "autoscaling:DescribeInstanceRefreshes: program" in found.seen
    assert "attach iam/promote.json and iam/group.json" in found.cure
