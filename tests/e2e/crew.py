"""A stack of prod with a group of one machine, as a pipeline drives it under its policies."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

from lab import surroundings
from lab.settings import SUBNET_ID
from lab.workbench import Run, Workbench
from pipeline.model import group_name
from tests.e2e.registry import Registry

ROLE, CHANNEL, STACK = "crew", "prod", "crew"
ALARM = "crew-fails"
HEALTH, NOTHING = "/health", "/nothing"
WITHIN_SECONDS = 120
LOOK_SECONDS = 0.2

SERVES = """#!/bin/sh
mkdir -p /srv/crew && touch /srv/crew/health
systemd-run --unit=crew --working-directory=/srv/crew /usr/bin/python3 -m http.server 80
"""
"""User data: a page for the health checks."""


@dataclass
class Crew:
    """The stack, its images and its target groups.

    Attributes:
        bench: The working copy.
        key: Access key id of the pipeline.
        images: Images that it may promote.
        target_groups: ARNs of two.
        sizes: The least and the largest number of machines.
        uses: Which of the target groups it has.
    """

    bench: Workbench
    key: str
    images: list[str]
    target_groups: list[str]
    sizes: tuple[int, int] = (1, 2)
    uses: int = 0

    @property
    def group(self) -> str:
        """Name of the group."""
        return group_name(ROLE, CHANNEL)

    def ask_for(self, image: str) -> None:
        """Write the stack's file."""
        group = {
            "minSize": self.sizes[0],
            "maxSize": self.sizes[1],
            "subnetIds": [SUBNET_ID],
            "targetGroupArns": [self.target_groups[self.uses]],
            "healthCheckGraceSeconds": 3600,
            "refresh": {"maxHealthyPercent": 200, "warmupSeconds": 1, "alarms": [ALARM]},
        }
        config = {
            "aws:region": "eu-west-1",
            "golden-image:role": ROLE,
            "golden-image:channel": CHANNEL,
            "golden-image:image": image,
            "golden-image:fleet": {"instanceType": "t3.micro", "userData": SERVES, "group": group},
        }
        self.bench.stack_file(STACK).write_text(yaml.safe_dump({"config": config}))

    def argv(self, command: str) -> list[str]:
        """A command of Pulumi on the stack."""
        return self.bench.pulumi_argv(command, STACK, "--yes", "--skip-preview")

    def run(self, command: str) -> Run:
        """Carry it out."""
        return self.bench.run(*self.argv(command), env={"AWS_ACCESS_KEY_ID": self.key})

    def up(self, image: str) -> Run:
        """Update to an image."""
        self.ask_for(image)
        return self.run("up")

    def fail(self, image: str) -> Run:
        """Update to an image whose machine is not healthy, until an alarm fires."""
        self.ask_for(image)
        before = self._calls("GetConsoleOutput")
        with self._ill(), self.bench.start(*self.argv("up"), env={"AWS_ACCESS_KEY_ID": self.key}) as process:
            until(lambda: self._calls("GetConsoleOutput") > before)
            surroundings.alarm(self.bench.settings, ALARM, "ALARM")
            output, _ = process.communicate(timeout=WITHIN_SECONDS)
        surroundings.alarm(self.bench.settings, ALARM, "OK")
        print(output)
        return Run(process.returncode, output, 0.0)

    @contextmanager
    def _ill(self) -> Iterator[None]:
        """The health checks ask for what no machine has."""
        self._check(NOTHING)
        yield
        self._check(HEALTH)

    def _check(self, path: str) -> None:
        balancing = self.bench.client("elbv2")
        for arn in self.target_groups:
            balancing.modify_target_group(TargetGroupArn=arn, HealthCheckPath=path)

    def _calls(self, action: str) -> int:
        return sum(one["key"] == self.key and one["action"] == action for one in self.bench.calls())

    def begin_another_refresh(self) -> None:
        """What an earlier update that was killed has left: a refresh to a version that it made."""
        scaling = self.bench.client("autoscaling")
        found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])
        template = found["AutoScalingGroups"][0]["LaunchTemplate"]
        made = self.bench.client("ec2").create_launch_template_version(
            LaunchTemplateId=template["LaunchTemplateId"],
            SourceVersion=template["Version"],
            LaunchTemplateData={"InstanceType": "t3.small"},
        )["LaunchTemplateVersion"]
        named = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": str(made["VersionNumber"])}
        scaling.start_instance_refresh(
            AutoScalingGroupName=self.group,
            DesiredConfiguration={"LaunchTemplate": named},
            Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "InstanceWarmup": 3600},
        )

    def await_no_refresh(self) -> None:
        """Return once none is under way."""
        scaling = self.bench.client("autoscaling")

        def ended() -> bool:
            found = scaling.describe_instance_refreshes(AutoScalingGroupName=self.group)["InstanceRefreshes"]
            return all("EndTime" in one for one in found)

        until(ended)

    def tags(self, image: str) -> dict[str, str]:
        """Tags of an image."""
        found = self.bench.client("ec2").describe_images(ImageIds=[image])["Images"][0]
        return {tag["Key"]: tag["Value"] for tag in found["Tags"]}


@contextmanager
def crew(bench: Workbench, images: Registry, key: str, count: int) -> Iterator[Crew]:
    """A crew with so many images, and without a machine yet."""
    lab = bench.settings
    target_groups = [surroundings.target_group(lab, HEALTH, name=f"crew-{one}") for one in range(2)]
    surroundings.alarm(lab, ALARM, "OK")
    yield Crew(bench, key, images.validated(ROLE, count), target_groups)
    for arn in target_groups:
        surroundings.remove_target_group(lab, arn)


def until(condition: Callable[[], object]) -> None:
    """Wait for something in the lab."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)
