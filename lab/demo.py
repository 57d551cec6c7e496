"""`make demo`: the whole life of an image on this machine, with the real tools.

Exit status: 0 all steps did what they should · 1 one did not, or the demo's lab is in use · 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from lab import reserved, surroundings
from lab import settings as lab_settings
from lab.errors import LabError
from lab.traffic import traffic
from lab.workbench import Machine, Run, Workbench, lab_of
from pipeline.model import TAG_REJECTED
from pipeline.processes import hear

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from lab.settings import LabSettings

INTERRUPTED = 130
"""Exit status after an interruption, as a shell reports SIGINT."""

ROLE = "web"
GROUP = "web-prod"
MACHINES = 3
ALARM = "web-unhealthy"
SITE = "packer/roles/web/templates/site.conf.j2"
HEALTH = r"^(\s*return) 200 (\"ok|'ok)"

USER_DATA = """\
#cloud-config
# Clients of prod keep their connections for longer.
write_files:
  - path: /etc/nginx/conf.d/fleet.conf
    content: keepalive_timeout 75s;
"""
"""What no validation has: it belongs to prod's launch template."""

CLASH = "keepalive_timeout 10s;\nserver {"
"""In an image: nginx starts with it, and in prod it does not, for there the same directive stands twice."""


CLIENT = """\
The client asks GET /health ten times a second through the whole update: each time one of the machines that
DescribeTargetHealth calls healthy at that moment, for the lab's load balancer passes no requests on. The lab has no
metrics either: the demo sets the alarm that stops the roll-out of 1.3.0, by the health checks of the load balancer."""
"""Below the table."""


@dataclass
class Row:
    """One line of the closing table."""

    step: str
    seconds: float = 0.0
    image: str = ""
    template: str = ""
    served: str = ""
    client: str = ""


@dataclass
class Demo:
    """The steps, and what came of them."""

    bench: Workbench
    target_group: str
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[Row]:
        """Announce a step, time it, and keep its row."""
        print(f"\n=== {len(self.rows) + 1}. {title}", flush=True)
        row = Row(title)
        started = time.monotonic()
        yield row
        row.seconds = time.monotonic() - started
        self.rows.append(row)

    def dev_up(self, row: Row) -> None:
        """Bake, validate, and put the image into channel candidate."""
        must(self.bench.up("dev"), "pulumi up of dev")
        row.image = str(self.bench.pointer(ROLE, "candidate"))

    def set_group(self) -> None:
        """Let prod have a group of machines behind a load balancer."""
        group = {
            "minSize": MACHINES,
            "maxSize": MACHINES + 1,
            "subnetIds": [lab_settings.SUBNET_ID],
            "targetGroupArns": [self.target_group],
            "refresh": {
                "minHealthyPercent": 100,
                "maxHealthyPercent": 134,
                "warmupSeconds": 1,
                "alarms": [ALARM],
            },
        }
        self.bench.set_fleet("prod", userData=USER_DATA, group=group)
        self.bench.commit("Machines for prod")

    def prod_up(self, row: Row, version: str, *, fail: bool = False) -> None:
        """Update prod while a client asks its machines; afterwards they serve `version`."""
        with traffic(self.bench.settings, self.target_group) as count:
            must(self.bench.up("prod"), "pulumi up of prod", fail=fail)
        row.client = str(count)
        print(f"  the client of the machines: {count}")
        if count.failed or not count.answers:
            raise LabError(f"{count}: {'; '.join(count.failed[:5])}", hint="every answer must be a good one")
        self.served(row, version)

    def served(self, row: Row, version: str) -> None:
        """All machines of prod must serve `version`; pointer, tag and launch template must name its image."""
        outputs = self.bench.outputs("prod")
        template = outputs["launchTemplateId"]
        row.image = str(self.bench.pointer(ROLE, "prod"))
        pages = [machine.version() for machine in self.machines()]
        row.served = f"{version} on all {len(pages)} ({pages[0]['build'][:8]})"
        print(f"  prod's machines serve {', '.join(page['version'] for page in pages)}")
        if [page["version"] for page in pages] != [version] * MACHINES:
            raise LabError(f"prod's machines serve {pages}", hint=f"{MACHINES} times {version} was expected")
        holders = self.bench.holders(ROLE, "prod")
        if holders != [row.image]:
            raise LabError(f"Role=web, ImageChannel=prod is on {holders}", hint=f"it must be on {row.image}")
        default = self.bench.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=template, Versions=["$Default"]
        )["LaunchTemplateVersions"][0]
        row.template = f"{template} v{default['VersionNumber']}"
        if default["LaunchTemplateData"]["ImageId"] != row.image:
            raise LabError(f"{row.template} is not of {row.image}", hint="pointer and template must agree")

    def machines(self) -> list[Machine]:
        """The machines of prod's group."""
        groups = self.bench.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
        ids = [one["InstanceId"] for one in groups["AutoScalingGroups"][0]["Instances"]]
        found = self.bench.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
        instances = [instance for each in found for instance in each["Instances"]]
        return [Machine(self.bench, one["InstanceId"], one["PrivateIpAddress"]) for one in instances]


def must(run: Run, what: str, *, fail: bool = False) -> Run:
    """Insist on success (or, with `fail`, on failure)."""
    if (run.status != 0) != fail:
        raise LabError(f"{what} ended with status {run.status}", hint="its output is above")
    return run


def story(demo: Demo) -> None:
    """All steps."""
    bench = demo.bench
    with demo.step("dev: bake web 1.0.0, boot it, check it, make it the candidate") as row:
        demo.dev_up(row)
    with demo.step(f"prod: promote it, feed the launch template, start a group of {MACHINES}") as row:
        demo.set_group()
        must(bench.up("prod"), "pulumi up of prod")
        demo.served(row, "1.0.0")

    with demo.step("dev: the same for web 1.1.0, one changed line in the stack file") as row:
        bench.set_version("1.1.0")
        demo.dev_up(row)
    with demo.step("prod: the preview that a reviewer sees, then the roll-out, while a client asks") as row:
        must(bench.preview("prod"), "pulumi preview of prod")
        demo.prod_up(row, "1.1.0")

    with demo.step("dev: web 1.2.0, whose /health is broken, stops at validation; prod serves on") as row:
        bench.edit(SITE, HEALTH, r"\1 500 \2")
        bench.set_version("1.2.0")
        must(bench.up("dev"), "pulumi up of dev with a broken image", fail=True)
        demo.served(row, "1.1.0")
    with demo.step("dev: web 1.3.0 passes: what is wrong with it shows under prod's user data alone") as row:
        bench.edit(SITE, r"^(\s*return) 500 ", r"\1 200 ")
        bench.edit(SITE, r"^server \{", CLASH)
        bench.set_version("1.3.0")
        demo.dev_up(row)
    with demo.step("prod: the roll-out of 1.3.0 fails; machines and channel return, in one update") as row:
        bad = str(bench.pointer(ROLE, "candidate"))
        demo.prod_up(row, "1.1.0", fail=True)
        rejected = bench.client("ec2").describe_images(ImageIds=[bad])["Images"][0]["Tags"]
        if not any(tag["Key"] == TAG_REJECTED for tag in rejected):
            raise LabError(f"{bad} has the tags {rejected}", hint=f"it must be marked {TAG_REJECTED}")

    with demo.step("prod: roll back by one line of stack config") as row:
        stack_file = str(bench.stack_file("prod").relative_to(bench.folder))
        must(
            bench.run("python", "-m", "pipeline", "rollback", "prod", "--config-file", stack_file),
            "rollback",
        )
        bench.commit("Roll prod back")
        demo.prod_up(row, "1.0.0")


def show(rows: list[Row]) -> None:
    """The closing table."""
    table = Table(title="The life of an image", title_justify="left", caption=CLIENT, caption_justify="left")
    for name in ("step", "seconds", "image", "launch template", "the machines serve", "a client meanwhile"):
        table.add_column(name, justify="right" if name == "seconds" else "left", overflow="fold")
    for number, row in enumerate(rows, 1):
        table.add_row(
            f"{number}. {row.step}", f"{row.seconds:.1f}", row.image, row.template, row.served, row.client
        )
    table.add_section()
    table.add_row("all", f"{sum(row.seconds for row in rows):.1f}", "", "", "", "")
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def _interrupted(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> int:
    """Run the demo in a lab of its own, which is gone afterwards."""
    hear(signal.SIGINT, signal.SIGTERM)
    settings = lab_of("demo")
    signal.signal(signal.SIGTERM, _interrupted)
    rows: list[Row] = []
    try:
        print("starting a lab of the demo's own: EC2 on this machine", flush=True)
        with reserved.own(settings, wait=False):
            status = _tell(settings, rows)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    if rows:
        show(rows)
    print("the lab is gone: no process, mount, bridge, nftables table or control group of it is left")
    return status


def _tell(settings: LabSettings, rows: list[Row]) -> int:
    """All steps, and the exit status that they come to."""
    try:
        bench = Workbench(settings, settings.state_dir / "project", echo=True)
        target_group = surroundings.target_group(settings)
        with surroundings.watched(settings, target_group, ALARM):
            story(Demo(bench, target_group, rows))
        status = 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("interrupted: clearing up", file=sys.stderr)
        status = INTERRUPTED
    print(flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
