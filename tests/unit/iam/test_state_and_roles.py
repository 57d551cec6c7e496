"""docs/how-to/state-and-roles.md, run against moto's S3 and IAM."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tools.checks import PROJECT

PAGE = PROJECT / "docs/how-to/state-and-roles.md"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
REGION = "eu-west-1"  # the AWS CLI 1, which the tests have, does not read AWS_REGION
SUBS = {
    "preview": "repo:OWNER/REPO:pull_request",
    "bake": "repo:OWNER/REPO:environment:dev",
    "promote": "repo:OWNER/REPO:environment:prod",
    "operate": "repo:OWNER/REPO:environment:operate",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A stand-in for AWS on which the page's commands have been run, in one shell."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(blocks)], cwd=PROJECT, check=False, capture_output=True, text=True,
        env={**KEYS, "PATH": path, "HOME": "/nonexistent", "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    yield url
    server.stop()


def client(service: str, endpoint: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


def test_the_bucket_keeps_versions(endpoint: str) -> None:
    s3 = client("s3", endpoint)
    assert s3.get_bucket_versioning(Bucket="example-golden-image-state")["Status"] == "Enabled"


@pytest.mark.parametrize("name", SUBS)
def test_a_role_admits_its_jobs_alone_and_has_its_policies(endpoint: str, name: str) -> None:
    iam = client("iam", endpoint)
    role = iam.get_role(RoleName=f"golden-image-{name}")["Role"]
    assert role["MaxSessionDuration"] == 7200
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert statement["Principal"] == {"Federated": provider["Arn"]}
    assert statement["Condition"]["StringLike"] == {"token.actions.githubusercontent.com:sub": SUBS[name]}
    names = iam.list_role_policies(RoleName=f"golden-image-{name}")["PolicyNames"]
    wanted = {"promote": {"promote", "group"}}.get(name, {name}) | ({"state"} if name != "operate" else set())
    assert set(names) == wanted
    for policy in wanted - {"state"}:
        found = iam.get_role_policy(RoleName=f"golden-image-{name}", PolicyName=policy)["PolicyDocument"]
        assert found == json.loads((PROJECT / f"iam/{policy}.json").read_text())


def test_a_preview_only_reads_the_state(endpoint: str) -> None:
    iam = client("iam", endpoint)
    found = iam.get_role_policy(RoleName="golden-image-preview", PolicyName="state")["PolicyDocument"]
    assert [one["Action"] for one in found["Statement"]] == ["s3:ListBucket", ["s3:GetObject"]]
