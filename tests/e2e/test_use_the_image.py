"""docs/how-to/use-the-image.md: what each way finds, after a promotion, another one, and a rollback."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import PROJECT, Workbench
from tests.e2e.registry import registry

PAGE = (PROJECT / "docs/how-to/use-the-image.md").read_text()
ROLE, STACK = "web", "consumed"
POINTER = "/golden-image/web/prod"

PROJECT_FILE = f"""\
name: consumer
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: {sys.prefix}
"""


def block(language: str, number: int = 0) -> str:
    """A block of the page, by the language of its text."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return blocks[number]


class Consumers:
    """Those who take the image, as the page says."""

    def __init__(self, bench: Workbench, folder: Path) -> None:
        self.bench = bench
        self.folder = folder
        (folder / "Pulumi.yaml").write_text(PROJECT_FILE)
        (folder / "__main__.py").write_text(block("python"))
        self.pulumi("stack", "init", "consumer")
        self.template = ""

    def pulumi(self, *words: str) -> str:
        """Run `pulumi` in the other program's folder."""
        run = self.bench.run("pulumi", "--cwd", str(self.folder), *words, "--non-interactive")
        assert run.status == 0, run.output
        return run.output

    def by_pulumi(self, image: str) -> list[str]:
        preview = self.pulumi("preview", "--stack", "consumer", "--diff")
        assert image in preview, "the change shows in the preview"
        self.pulumi("up", "--stack", "consumer", "--yes", "--skip-preview")
        names = ("byParameter", "byTags")
        return [self.pulumi("stack", "output", "--stack", "consumer", name).strip() for name in names]

    def by_terraform(self, _image: str) -> list[str]:
        """The page's text, with the calls that the provider makes for its data sources."""
        text = block("hcl")
        name = re.search(r'data "aws_ssm_parameter" .*?name = "(.*?)"', text, re.DOTALL)
        filters = re.findall(r'name   = "(.*?)"\s+values = \["(.*?)"\]', text)
        assert name is not None
        assert len(filters) == 2
        ec2 = self.bench.client("ec2")
        images = ec2.describe_images(
            Owners=["self"], Filters=[{"Name": key, "Values": [value]} for key, value in filters]
        )["Images"]
        ssm = self.bench.client("ssm")
        return [ssm.get_parameter(Name=name[1])["Parameter"]["Value"], *(one["ImageId"] for one in images)]

    def by_shell(self, _image: str) -> list[str]:
        return [self.shell(line) for line in block("sh").splitlines()]

    def shell(self, line: str) -> str:
        run = self.bench.run("bash", "-euc", line, env={"AWS_PAGER": ""})
        assert run.status == 0, run.output
        return run.output.strip()

    def by_launch(self, _image: str) -> list[str]:
        ec2 = self.bench.client("ec2")
        if not self.template:
            self.shell(block("sh", 1).strip())
            self.template = "web-from-channel"
        launched = ec2.run_instances(
            LaunchTemplate={"LaunchTemplateName": self.template, "Version": "$Default"},
            MinCount=1,
            MaxCount=1,
        )["Instances"][0]
        ec2.terminate_instances(InstanceIds=[launched["InstanceId"]])
        return [launched["ImageId"]]


@pytest.fixture(scope="module")
def images(bench: Workbench) -> Iterator[list[str]]:
    with registry(bench) as registered:
        yield registered.validated(ROLE, 2)


@pytest.fixture(scope="module")
def consumers(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumers]:
    found = Consumers(bench, tmp_path_factory.mktemp("consumer"))
    yield found
    found.pulumi("destroy", "--stack", "consumer", "--yes", "--skip-preview")
    if found.template:
        bench.client("ec2").delete_launch_template(LaunchTemplateName=found.template)


def promote(bench: Workbench, image: str) -> None:
    lines = [
        "config:", "  aws:region: eu-west-1", f"  golden-image:role: {ROLE}", "  golden-image:channel: prod",
        "  golden-image:from: candidate", f"  golden-image:image: {image}",
    ]  # fmt: skip
    bench.stack_file(STACK).write_text("\n".join(lines) + "\n")
    assert bench.up(STACK).status == 0


def roll_back(bench: Workbench) -> None:
    file = str(bench.stack_file(STACK))
    assert bench.run("python", "-m", "pipeline", "rollback", STACK, "--config-file", file).status == 0
    assert bench.up(STACK).status == 0


def test_every_way_follows_promotion_and_rollback(
    bench: Workbench, consumers: Consumers, images: list[str]
) -> None:
    first, second = images
    steps: list[tuple[str, Callable[[], Any]]] = [
        (first, lambda: promote(bench, first)),
        (second, lambda: promote(bench, second)),
        (first, lambda: roll_back(bench)),
    ]
    ways = (consumers.by_pulumi, consumers.by_terraform, consumers.by_shell, consumers.by_launch)
    for image, step in steps:
        step()
        for way in ways:
            assert set(way(image)) == {image}, way.__name__
    assert bench.pointer(ROLE, "prod") == first
