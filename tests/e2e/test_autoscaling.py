"""A group of Auto Scaling whose machines really boot, are asked by health checks, and are replaced."""

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from lab import environment, manners, settings, surroundings
from lab.settings import LabSettings
from tests.e2e.conftest import lab_command

GROUP = "web"
WITHIN_SECONDS = 60
HOUR = 3600

SCRIPT = """#!/bin/sh
mkdir -p /srv/web
echo {version} > /srv/web/version
echo ok > /srv/web/healthz
cat > /etc/systemd/system/web.service <<END
[Service]
ExecStart=/usr/bin/python3 -m http.server 80 --directory /srv/web
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now web
{then}
"""
DIES = "rm /srv/web/healthz"
"""The service answers, but not its health check."""


@dataclass
class Account:
    """The lab as its owner sees it."""

    lab: LabSettings
    ec2: Any
    groups: Any
    template: str
    target_group: str

    def version(self, version: str, then: str = "") -> str:
        """A new version of the launch template."""
        made = self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template,
            LaunchTemplateData=data(self.ec2, SCRIPT.format(version=version, then=then)),
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def specification(self, version: str) -> dict[str, str]:
        return {"LaunchTemplateId": self.template, "Version": version}

    def start(self, version: str, **preferences: Any) -> None:
        self.groups.start_instance_refresh(
            AutoScalingGroupName=GROUP,
            DesiredConfiguration={"LaunchTemplate": self.specification(version)},
            Preferences={"InstanceWarmup": 1, **preferences},
        )

    def refresh(self) -> dict[str, Any]:
        found = self.groups.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"][0]
        return dict(found)

    def group(self) -> dict[str, Any]:
        return dict(
            self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
        )

    def states(self) -> list[str]:
        return surroundings.healths(self.lab, self.target_group)

    def said(self) -> list[str]:
        """What the machines' own services answer, from their addresses."""
        found = (httpx.get(f"http://{one}/version", timeout=5) for one in self._addresses())
        return sorted(one.text.strip() for one in found)

    def serving(self) -> bool:
        """Whether port 80 of each machine answers."""
        try:
            for address in self._addresses():
                socket.create_connection((address, 80), timeout=1).close()
        except OSError:
            return False
        return True

    def _addresses(self) -> list[str]:
        ids = [one["InstanceId"] for one in self.group()["Instances"]]
        found = self.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return [one["PrivateIpAddress"] for each in found for one in each["Instances"]]

    def advance(self, seconds: float) -> None:
        surroundings.advance(self.lab, seconds)

    def restart(self) -> None:
        """Stop the lab with its machines, and start it again."""
        for command in ("down", "up"):
            done = lab_command(command, name=self.lab.name)
            assert done.returncode == 0, done.stderr

    def set_manners(self, *names: str) -> None:
        surroundings.of_lab(self.lab, "manners", {"names": names})


def data(ec2: Any, script: str) -> dict[str, Any]:
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]
    return {
        "ImageId": image,
        "InstanceType": "t3.micro",
        "UserData": base64.b64encode(script.encode()).decode(),
    }


def until(condition: Callable[[], object], seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline, json.dumps(seen(), default=str)
        time.sleep(0.2)


@pytest.fixture(scope="module")
def account(lab: LabSettings) -> Iterator[Account]:
    ec2, groups = (environment.client(lab, name, environment.ONLOOKER) for name in ("ec2", "autoscaling"))
    made = ec2.create_launch_template(
        LaunchTemplateName=GROUP, LaunchTemplateData=data(ec2, SCRIPT.format(version="one", then=""))
    )
    target_group = surroundings.target_group(lab, "/healthz", name=GROUP)
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    found = Account(lab, ec2, groups, template, target_group)
    found.set_manners(*manners.NAMES)
    groups.create_auto_scaling_group(
        AutoScalingGroupName=GROUP, LaunchTemplate=found.specification("1"), MinSize=2, MaxSize=4,
        VPCZoneIdentifier=settings.SUBNET_ID, TargetGroupARNs=[target_group], HealthCheckType="ELB",
        HealthCheckGracePeriod=2 * HOUR,
    )  # fmt: skip
    yield found
    groups.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    until(
        lambda: not groups.describe_auto_scaling_groups()["AutoScalingGroups"],
        groups.describe_auto_scaling_groups,
    )
    surroundings.remove_target_group(lab, target_group)
    found.set_manners()


def test_a_group_boots_is_refreshed_and_returns_from_a_version_that_fails(account: Account) -> None:
    until(lambda: account.states() == ["healthy", "healthy"], account.group)
    assert account.said() == ["one", "one"]

    account.start(account.version("two"), MinHealthyPercentage=100, MaxHealthyPercentage=200, BakeTime=HOUR)
    until(lambda: account.refresh()["Status"] == "Baking", account.refresh)
    account.restart()
    # Their health is that of before the restart until the next check.
    until(account.serving, account.group)
    until(lambda: account.states() == ["healthy", "healthy"], account.group)
    assert (account.refresh()["Status"], account.group()["LaunchTemplate"]["Version"]) == ("Baking", "1")
    account.advance(HOUR)
    assert account.refresh()["Status"] == "Successful"
    assert account.said() == ["two", "two"]
    assert account.group()["LaunchTemplate"]["Version"] == "2"

    account.start(account.version("three", DIES), MinHealthyPercentage=50, AutoRollback=True)
    until(lambda: "unhealthy" in account.states(), account.refresh)
    assert account.refresh()["Status"] == "InProgress"
    account.advance(HOUR + 10)
    until(lambda: account.refresh()["Status"] == "RollbackSuccessful", account.refresh)
    assert account.refresh()["RollbackDetails"]["PercentageCompleteOnRollback"] == 0
    assert account.said() == ["two", "two"]
    assert account.group()["LaunchTemplate"]["Version"] == "2"
