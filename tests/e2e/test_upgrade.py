"""A stack of the first release (commit 5323915) under this program: only what belongs to a new image is replaced.

`upgrade/` has that release's stack files and the states that its `pulumi up` of dev and of prod left in the lab; what
it left in the account is made here anew. Left out of the states: what programs printed, and private keys.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.e2e.registry import EVIDENCE, registry

RECORDED = Path(__file__).parent / "upgrade"
IMAGE = "ami-4aa62535645e82505"
TEMPLATES = {"dev": "lt-d5471960bf298d330", "prod": "lt-bcfe395629e742052"}
CHANNELS = {"dev": "candidate", "prod": "prod"}
VPC = "vpc-76c43804aff624bbd"
BAKE_KEY = "5f380572c4edb975cceb87cf5c48d7cb"

OF_A_NEW_IMAGE = {
    "build-bake", "validation-keygen", "validation-key", "validation-clone-1", "validation-clone-2",
    "validation-checks", "validation-evidence", "promotion-channel",
}  # fmt: skip
"""What each new image replaces in dev, today as then."""

REPLACING = {"replace", "create-replacement", "delete-replaced"}


@dataclass
class Old:
    """The account as the first release left it."""

    bench: Workbench
    image: str
    templates: dict[str, str]

    def plan(self, stack: str) -> dict[str, set[str]]:
        """What a preview would do: the last word of each resource's name to its operations."""
        run = self.bench.run(*self.bench.pulumi_argv("preview", stack, "--json"))
        assert run.status == 0, run.output
        plan: dict[str, set[str]] = {}
        for step in json.loads(run.output[run.output.index("{") :])["steps"]:
            if step["op"] != "same":
                plan.setdefault(step["urn"].rsplit("::", 1)[-1], set()).add(step["op"])
        return plan

    def version(self, channel: str) -> int:
        ssm = self.bench.client("ssm")
        found: int = ssm.get_parameter(Name=f"/golden-image/web/{channel}")["Parameter"]["Version"]
        return found


@pytest.fixture(scope="module")
def old(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    folder = tmp_path_factory.mktemp("upgrade")
    ec2, ssm = bench.client("ec2"), bench.client("ssm")
    with registry(bench) as images:
        tags = {"Role": "web", "Validated": EVIDENCE, "ManagedBy": "packer", "BakeKey": BAKE_KEY}
        image = images.image("web-of-the-first-release", {**tags, "ImageChannel": "prod"})
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    templates: dict[str, str] = {}
    for stack, channel in CHANNELS.items():
        state = json.loads((RECORDED / f"{stack}.json").read_text())
        pointer, template = (outputs(state, kind) for kind in ("Parameter", "LaunchTemplate"))
        ssm.put_parameter(
            Name=pointer["name"], Value=image, Type=pointer["type"], DataType=pointer["dataType"],
            Description=pointer["description"], Overwrite=True,
        )  # fmt: skip
        templates[stack] = ec2.create_launch_template(
            LaunchTemplateName=f"{template['name']}-{channel}",
            LaunchTemplateData={
                "ImageId": image,
                "InstanceType": template["instanceType"],
                "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required"},
                "TagSpecifications": [
                    {"ResourceType": one["resourceType"], "Tags": tag_list(one["tags"])}
                    for one in template["tagSpecifications"]
                ],
            },
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tag_list(template["tags"])}],
        )["LaunchTemplate"]["LaunchTemplateId"]
        text = json.dumps(state).replace(IMAGE, image).replace(TEMPLATES[stack], templates[stack])
        text = text.replace(VPC, vpc).replace(template["name"], f"{template['name']}-{channel}")
        (folder / f"{stack}.json").write_text(text)
        bench.stack_file(stack).write_text((RECORDED / f"Pulumi.{stack}.yaml").read_text())
        # Makes the stack.
        bench.pulumi_argv("preview", stack)
        imported = bench.run(
            "pulumi", "stack", "import", "--stack", stack, "--file", str(folder / f"{stack}.json")
        )
        assert imported.status == 0, imported.output
    yield Old(bench, image, templates)
    # Its machines are not there.
    assert bench.run("pulumi", "stack", "rm", "--stack", "dev", "--force", "--yes").status == 0
    ssm.delete_parameter(Name="/golden-image/web/candidate")
    ec2.delete_launch_template(LaunchTemplateId=templates["dev"])


def outputs(state: dict[str, Any], kind: str) -> dict[str, Any]:
    """Outputs of the state's one resource of a type."""
    (found,) = [one for one in state["deployment"]["resources"] if one["type"].endswith(f":{kind}")]
    result: dict[str, Any] = found["outputs"]
    return result


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def test_prod_goes_on(old: Old) -> None:
    """Claim and settle run once more, and leave this release's label; pointer and template stay as they are."""
    bench = old.bench
    plan = old.plan("prod")
    assert plan == {
        "promotion-claim": {"update"},
        "promotion-held": {"create"},
        "promotion-settle": {"update"},
    }
    assert bench.up("prod").status == 0
    assert bench.pointer("web", "prod") == old.image
    assert old.version("prod") == 1, "the pointer was not written"
    assert bench.holders("web", "prod") == [old.image]
    found = bench.outputs("prod")
    assert (found["launchTemplateId"], found["launchTemplateVersion"]) == (old.templates["prod"], 1)
    assert bench.run(*bench.pulumi_argv("preview", "prod", "--expect-no-changes")).status == 0


def test_dev_bakes_once_and_replaces_what_belongs_to_an_image(old: Old) -> None:
    plan = old.plan("dev")
    assert {name for name, operations in plan.items() if operations & REPLACING} == OF_A_NEW_IMAGE
    assert plan["promotion-pointer"] == {"update"}
    assert plan["fleet-template"] == {"update"}
    preview = old.bench.preview("dev").output
    assert "bakeKey" in preview, "the preview shows why"
    assert "ansible/image.yml" in preview
