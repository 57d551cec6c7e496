"""A roll-out of three machines, against the instance refresh alone that it consists of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lab import settings as lab_settings
from lab import surroundings
from lab.environment import KEY
from lab.errors import LabError
from tests.measuring import Comparison, Lab, must

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "web-prod"
MACHINES = 3
POLL_SECONDS = 1.0
WARMUP_SECONDS = 60
"""In which a new machine has to stay well. AWS's default is the grace period, which is five minutes by default."""


def roll_out(bench: Lab) -> list[Comparison]:
    """`pulumi up` that rolls three machines out against a bare instance refresh between the same versions."""
    target_group = surroundings.target_group(bench.settings)
    refresh = {"minHealthyPercent": 100, "maxHealthyPercent": 134, "warmupSeconds": WARMUP_SECONDS}
    text = bench.stack_file("prod").read_text()
    bench.set_fleet("prod", group={
        "minSize": MACHINES, "maxSize": MACHINES + 1, "subnetIds": [lab_settings.SUBNET_ID],
        "targetGroupArns": [target_group], "refresh": refresh,
    })  # fmt: skip
    comparison = Comparison(
        "roll-out of three machines", "pulumi up", "StartInstanceRefresh by boto3", aim=1.1
    )
    for version in ("6.0.0", "6.1.0"):
        bench.set_version(version)
        must(bench.run(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview")))
        bench.same_chances()
        seconds = must(bench.run(*bench.pulumi_argv("up", "prod", "--yes", "--skip-preview")))
    comparison.ours_seconds.append(seconds)
    outputs = bench.outputs("prod")
    scaling = bench.client("autoscaling", KEY)  # not the onlooker's, which waits for nothing
    (done, *_) = scaling.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"]
    before = str(int(outputs["launchTemplateVersion"]) - 1)
    bench.same_chances()
    comparison.theirs_seconds.append(
        _bare(
            scaling, {"LaunchTemplateId": outputs["launchTemplateId"], "Version": before}, done["Preferences"]
        )
    )
    comparison.note = f"one after the other, each with {WARMUP_SECONDS} s of warm-up, as set on both sides"
    must(bench.run(*bench.pulumi_argv("destroy", "prod", "--yes", "--skip-preview")))
    bench.stack_file("prod").write_text(text)
    return [comparison]


def _bare(scaling: Any, template: dict[str, str], said: dict[str, Any]) -> float:
    """How long a refresh takes, asked for and waited for by boto3.

    Raises:
        LabError: It ended other than Successful.
    """
    started = time.monotonic()
    refresh = scaling.start_instance_refresh(
        AutoScalingGroupName=GROUP, DesiredConfiguration={"LaunchTemplate": template}, Preferences=said
    )["InstanceRefreshId"]
    *_, last = _states(scaling, refresh)
    seconds = time.monotonic() - started
    if last != "Successful":
        raise LabError(f"the bare refresh ended {last}", hint="nothing was measured")
    return seconds


def _states(scaling: Any, refresh: str) -> Iterator[str]:
    """What a refresh is, until it has ended."""
    while True:
        found = scaling.describe_instance_refreshes(AutoScalingGroupName=GROUP, InstanceRefreshIds=[refresh])[
            "InstanceRefreshes"
        ][0]
        yield found["Status"]
        if "EndTime" in found:
            return
        time.sleep(POLL_SECONDS)
