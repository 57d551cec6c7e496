"""The doctor reports a channel that somebody else has moved as the preview does."""

import boto3
import pytest

from pipeline.doctor import channel
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Finding
from pipeline.promote.standing import label
from tests.unit.pipeline.doctor.making import PROD, REGION

NAME = "/golden-image/web/prod"


@pytest.fixture
def account(aws: None) -> Account:
    ssm = boto3.client("ssm", region_name=REGION)
    for name in ("/golden-image/web/candidate", NAME):
        ssm.put_parameter(Name=name, Value="ami-1", Type="String")
    ssm.label_parameter_version(Name=NAME, ParameterVersion=1, Labels=[label("prod", "0a1b2c3d")])
    return Account(REGION)


def findings(account: Account) -> list[Finding]:
    return list(channel.check(account, PROD))


def test_a_channel_as_its_stack_left_it(account: Account) -> None:
    (found,) = findings(account)
    assert found.seen == "/golden-image/web/prod holds ami-1, /golden-image/web/candidate holds ami-1"


def test_a_channel_that_somebody_else_moved(account: Account) -> None:
    boto3.client("ssm", region_name=REGION).put_parameter(Name=NAME, Value="ami-2", Overwrite=True)
    moved, _ = findings(account)
    assert moved.status.name == "WARN"
    assert f"{NAME} version 2: ami-2, written 20" in str(moved.seen)
    assert "`python -m pipeline adopt prod --version 2`, then `pulumi up`" in str(moved.cure)
    assert "golden-image:image in Pulumi.prod.yaml" in str(moved.cure)
