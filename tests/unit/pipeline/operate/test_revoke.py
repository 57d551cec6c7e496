"""A revoked image is told who did it and why; one that is in use is not revoked."""

import copy
import json
import re
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends
from typer.testing import CliRunner

from pipeline.aws.account import Account
from pipeline.aws.images import Images
from pipeline.cli.app import app
from pipeline.errors import PipelineError
from pipeline.model import TAG_VALUE_LIMIT
from pipeline.operate import revoke

REGION = "eu-west-1"


@pytest.fixture
def ec2(aws: None) -> Any:
    return boto3.client("ec2", region_name=REGION)


@pytest.fixture
def account(aws: None) -> Account:
    return Account(region=REGION)


def image(ec2: Any, name: str, source: str | None = None) -> str:
    found: str = ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
    if source:
        ec2.create_tags(Resources=[found], Tags=[{"Key": "SourceImage", "Value": source}])
    return found


def test_revoked_with_reason_time_and_identity_and_restored(ec2: Any, account: Account) -> None:
    bad = image(ec2, "bad")
    assert revoke.revoke(account, bad, " CVE-2026-1 ") == []
    found = account.images.find(bad)
    assert found is not None
    assert re.fullmatch(r"CVE-2026-1 \(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ arn:aws:.*\)", found.revoked or "")
    assert revoke.restore(account, bad) == {"Revoked": found.revoked}
    assert account.images.find(bad).revoked is None  # type: ignore[union-attr]
    with pytest.raises(PipelineError, match="is neither revoked nor rejected"):
        revoke.restore(account, bad)


@pytest.mark.parametrize("tags", [{"Rejected": "prod 2026 boom"}, {"Rejected": "", "Revoked": "CVE"}])
def test_restore_lifts_what_there_is_and_says_which(ec2: Any, account: Account, tags: dict[str, str]) -> None:
    bad = image(ec2, "bad")

    def tag() -> None:
        ec2.create_tags(Resources=[bad], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])

    tag()
    said = CliRunner().invoke(app, ["restore", bad, "--region", REGION, "--json"])
    assert json.loads(said.stdout) == {
        "restored": bad, "revoked": tags.get("Revoked"), "rejected": tags["Rejected"],
    }  # fmt: skip
    found = account.images.find(bad)
    assert found is not None
    assert not found.tags
    tag()
    shown = CliRunner().invoke(app, ["restore", bad, "--region", REGION]).stdout
    assert f"it was rejected: {tags['Rejected']}" in shown
    assert ("it was revoked: CVE" in shown) is ("Revoked" in tags)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (" ", "needs a reason"),
        ("x" * 257, "does not fit into a tag"),
        ("bad\x00image", "cannot be printed"),
        ("bad\nimage", "cannot be printed"),
        ("\x1b[31mbad", "cannot be printed"),
        ("bad\u202eegami", "cannot be printed"),
        ("bad\ud800", "cannot be printed"),
        ("bad\ufffe", "cannot be printed"),
    ],
)
def test_a_reason_that_no_tag_can_hold(ec2: Any, account: Account, reason: str, message: str) -> None:
    good = image(ec2, "good")
    with pytest.raises(PipelineError, match=message) as caught:
        revoke.revoke(account, good, reason)
    assert str(caught.value).replace("\n", "").isprintable()
    assert account.images.find(good).revoked is None  # type: ignore[union-attr]


def test_the_longest_reason_fits_into_a_tag(ec2: Any, account: Account) -> None:
    bad = image(ec2, "bad")
    with pytest.raises(PipelineError) as caught:
        revoke.revoke(account, bad, "x" * 257)
    most = int(re.findall(r"at most (\d+)", str(caught.value))[0])
    revoke.revoke(account, bad, "é" * most)
    found = account.images.find(bad)
    assert found is not None
    assert len(found.revoked or "") == TAG_VALUE_LIMIT


def test_descendants_of_all_generations(ec2: Any, account: Account) -> None:
    root = image(ec2, "root")
    child = image(ec2, "child", root)
    grandchild = image(ec2, "grandchild", child)
    image(ec2, "stranger", "ami-00000000")
    assert [found.id for found in revoke.revoke(account, root, "bad")] == [child, grandchild]


@pytest.fixture
def lagging(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """EC2 whose next reads of images after a write of tags show them as they were before."""
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    late: list[Any] = []

    def call(self: Any, operation: str, arguments: Any) -> Any:
        if operation in ("CreateTags", "DeleteTags"):
            everything = original(self, "DescribeImages", {"Owners": ["self"]})
            late[:] = [copy.deepcopy(everything), copy.deepcopy(everything)]
        elif operation == "DescribeImages" and late:
            return late.pop()
        return original(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    return late


def test_a_revocation_is_taken_back_at_once(ec2: Any, account: Account, lagging: list[Any]) -> None:
    bad = image(ec2, "bad")
    revoke.revoke(account, bad, "CVE-2026-1")
    assert "CVE-2026-1" in revoke.restore(account, bad)["Revoked"]
    assert not lagging
    assert account.images.find(bad).revoked is None  # type: ignore[union-attr]


def test_a_tag_that_never_shows(ec2: Any, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = image(ec2, "bad")
    monkeypatch.setattr(account.images, "tag", lambda *_: None)
    once = Images.find_once
    monkeypatch.setattr(Images, "find_once", lambda *given: once(*given, seconds=0.6))
    with pytest.raises(PipelineError, match="does not show it"):
        revoke.revoke(account, bad, "CVE-2026-1")


def test_more_descendants_than_fit_into_a_filter(
    ec2: Any, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, arguments: Any) -> Any:
        if any(len(one["Values"]) > 200 for one in arguments.get("Filters", ())):
            said = {
                "Error": {
                    "Code": "FilterLimitExceeded",
                    "Message": "The maximum number of filter values is 200",
                }
            }
            raise ClientError(said, operation)  # type: ignore[arg-type]
        return original(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    root, child = image(ec2, "root"), image(ec2, "child")
    ec2.create_tags(Resources=[child], Tags=[{"Key": "SourceImage", "Value": root}])
    amis = ec2_backends["123456789012"][REGION].amis
    for number in range(250):
        twin = copy.copy(amis[child])
        twin.id = f"ami-{number:017x}"
        amis[twin.id] = twin
        ec2.create_tags(Resources=[twin.id], Tags=[{"Key": "SourceImage", "Value": root}])
    grandchild = image(ec2, "grandchild", f"ami-{249:017x}")
    found = [one.id for one in revoke.revoke(account, root, "bad")]
    assert len(found) == 252
    assert found[-1] == grandchild
    assert len(account.images.existing(found)) == 252


def test_an_image_that_a_channel_holds(ec2: Any, account: Account) -> None:
    held = image(ec2, "held")
    ssm: Any = boto3.client("ssm", region_name=REGION)
    ssm.put_parameter(Name="/golden-image/web/prod", Value=held, Type="String")
    with pytest.raises(PipelineError, match="is in a channel") as caught:
        revoke.revoke(account, held, "bad")
    assert "/golden-image/web/prod" in str(caught.value)
    assert "rollback" in str(caught.value)


def test_no_such_image_and_no_reason(ec2: Any, account: Account) -> None:
    with pytest.raises(PipelineError, match="does not belong to this account"):
        revoke.revoke(account, "ami-0123456789abcdef0", "bad")
    with pytest.raises(PipelineError, match="needs a reason"):
        revoke.revoke(account, image(ec2, "bad"), "  ")
