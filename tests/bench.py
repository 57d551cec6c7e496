"""`make bench`: the project against the bare tools, both sides in one run.

Times are of this machine at this moment; the ratios are what counts. Exit status: 0 measured · 1 a run failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from lab import reserved
from lab.environment import KEY
from lab.errors import LabError
from lab.manners import PACES
from lab.workbench import Machine, lab_of
from pipeline.processes import hear
from tests.bench_gate import gate
from tests.bench_rollout import roll_out
from tests.measuring import AT_AWS_PACE, ROUNDS, Comparison, Lab, must

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK_ROUNDS = 5
EMPTY = "import pulumi\n"
PROVIDERS = """import pulumi_aws as aws
from pulumi_command.local import Command

command = Command("command", create="echo ami-0123456789abcdef0", triggers=["1"])
aws.ssm.Parameter("parameter", name="/bench/providers", type="String", value=command.stdout)
aws.ec2.LaunchTemplate("template", image_id=command.stdout)
"""
"""One resource of each kind that prod has, and nothing of ours: what SDK and providers take."""


def bake(bench: Lab) -> list[Comparison]:
    """`pulumi up` of dev from nothing against a bare `packer build` of the same template."""
    boot = _boot_seconds(bench)
    comparison = Comparison("dev from nothing", "pulumi up", "packer build", aim=1.25, extra=boot)
    config = YAML(typ="safe").load(bench.stack_file("dev"))["config"]
    values = bench.folder / "bench.json"
    for number in range(ROUNDS[bench.pace]):
        bench.set_version(f"9.{number}.0")
        argv = bench.pulumi_argv("up", "dev", "--yes", "--skip-preview")
        bench.same_chances()
        bench.forget_calls()
        comparison.ours_seconds.append(must(bench.run(*argv)))
        comparison.note = f"each bake made {_images_made(bench)}"
        must(bench.run(*bench.pulumi_argv("destroy", "dev", "--yes", "--skip-preview")))
        # What the bake step would look up.
        found = {
            "image_role": "web",
            "root_device_name": _source(bench)["RootDeviceName"],
            "manifest_path": str(bench.folder / "manifest.json"),
        }
        values.write_text(json.dumps({**config["golden-image:bake"]["variables"], **found}))
        bench.same_chances()
        comparison.theirs_seconds.append(
            must(bench.run("packer", "build", "-color=false", f"-var-file={values}", "packer"))
        )
    if bench.pace != AT_AWS_PACE:
        return [comparison]
    waited = Comparison(
        "dev, as a user waits", "pulumi up", f"packer build and one boot ({boot:.1f})", aim=1.25
    )
    waited.ours_seconds = comparison.ours_seconds
    waited.theirs_seconds = [seconds + boot for seconds in comparison.theirs_seconds]
    return [comparison, waited]


def _images_made(bench: Lab) -> str:
    """What the calls since `forget_calls` made, in words.

    Raises:
        LabError: It is not one image, or its disk is not encrypted.
    """
    actions = [call["action"] for call in bench.calls()]
    made, copied = actions.count("CreateImage"), actions.count("CopyImage")
    ec2 = bench.client("ec2")
    (image,) = ec2.describe_images(ImageIds=[bench.pointer("web", "candidate")])["Images"]
    (disk,) = image["BlockDeviceMappings"]
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[disk["Ebs"]["SnapshotId"]])["Snapshots"]
    if (made, copied) != (1, 0) or not snapshot["Encrypted"]:
        raise LabError(
            f"a bake made {made} images and {copied} copies; encrypted: {snapshot['Encrypted']}",
            hint="with encryption, too, it must make one image and no copy",
        )
    return "one image, encrypted, and no copy"


def _source(bench: Lab) -> dict[str, Any]:
    """The image that dev bakes from."""
    filters = [{"Name": "name", "Values": ["debian-*-amd64-lab"]}]
    (found,) = bench.client("ec2").describe_images(Filters=filters)["Images"]
    image: dict[str, Any] = found
    return image


def _boot_seconds(bench: Lab) -> float:
    """From RunInstances to an answer on port 22, for a machine of the source image."""
    ec2 = bench.client("ec2", KEY)  # not the onlooker's, which waits for nothing
    source = _source(bench)["ImageId"]
    started = time.monotonic()
    instance = ec2.run_instances(ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1)[
        "Instances"
    ][0]
    Machine(bench, instance["InstanceId"], instance["PrivateIpAddress"]).wait_for(22)
    seconds = time.monotonic() - started
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    return seconds


def _other(bench: Lab, name: str, program: str) -> Callable[..., list[str]]:
    """Another program, in the same environment; returns what makes a command line for it."""
    folder = bench.folder.parent / name
    if not folder.exists():
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(
            f"name: {name}\nruntime:\n  name: python\n  options:\n    toolchain: pip\n    virtualenv: .venv\n"
        )
        (folder / "__main__.py").write_text(program)
        (folder / ".venv").symlink_to((bench.folder / ".venv").resolve())
        must(bench.run("pulumi", "stack", "init", name, "--non-interactive", "--cwd", str(folder)))

    def argv(command: str, *options: str) -> list[str]:
        fixed = ["--stack", name, "--non-interactive", "--color=never", "--cwd", str(folder)]
        return ["pulumi", command, *fixed, *options]

    return argv


def preview(bench: Lab) -> list[Comparison]:
    """A preview of prod that finds nothing to do against that of a program that declares nothing."""
    must(bench.run(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview")))
    must(bench.run(*bench.pulumi_argv("up", "prod", "--yes", "--skip-preview")))
    empty = _other(bench, "empty", EMPTY)("preview")
    providers = _other(bench, "providers", PROVIDERS)
    must(bench.run(*providers("up", "--yes", "--skip-preview", "--config", "aws:region=eu-west-1")))
    ours = bench.pulumi_argv("preview", "prod", "--expect-no-changes")
    comparison = Comparison(
        "prod, nothing to do", "pulumi preview", "pulumi preview of an empty program", aim=1.3
    )
    bare = []
    for _ in range(QUICK_ROUNDS):
        comparison.ours_seconds.append(must(bench.run(*ours)))
        comparison.theirs_seconds.append(must(bench.run(*empty)))
        bare.append(must(bench.run(*providers("preview", "--expect-no-changes"))))
    least = statistics.median(bare)
    ratio = statistics.median(comparison.ours_seconds) / least
    comparison.note = (
        f"a program with one resource of each kind and nothing else takes {least:.1f} s: {ratio:.2f}"
    )
    return [comparison]


def rollback(bench: Lab) -> list[Comparison]:
    """From the config line to the launch template on the old image, against an empty program's `pulumi up`."""
    ec2 = bench.client("ec2")
    images = []
    for version in ("8.0.0", "8.1.0"):
        bench.set_version(version)
        must(bench.run(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview")))
        must(bench.run(*bench.pulumi_argv("up", "prod", "--yes", "--skip-preview")))
        images.append(str(bench.pointer("web", "prod")))
    empty = _other(bench, "empty", EMPTY)("up", "--yes", "--skip-preview")
    text = bench.stack_file("prod").read_text()
    comparison = Comparison("prod, back by one line", "pulumi up", "pulumi up of an empty program", aim=2)
    bench.forget_calls()
    for number in range(QUICK_ROUNDS):
        wanted = images[number % 2]
        bench.stack_file("prod").write_text(text)
        bench.pin("prod", wanted)
        comparison.ours_seconds.append(
            must(bench.run(*bench.pulumi_argv("up", "prod", "--yes", "--skip-preview")))
        )
        comparison.theirs_seconds.append(must(bench.run(*empty)))
        found = ec2.describe_launch_template_versions(
            LaunchTemplateId=bench.outputs("prod")["launchTemplateId"], Versions=["$Default"]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]
        if found != wanted:
            raise LabError(f"the launch template holds {found}", hint=f"{wanted} was pinned")
    bench.stack_file("prod").write_text(text)
    actions = [call["action"] for call in bench.calls()]
    bakes, machines = actions.count("CreateImage"), actions.count("RunInstances")
    comparison.note = f"{QUICK_ROUNDS} times: {bakes} bakes, {machines} validation machines"
    if bakes or machines:
        raise LabError(f"a rollback made {comparison.note}", hint="it must make none")
    return [comparison]


def clones(bench: Lab) -> list[Comparison]:
    """A validation on four machines against one on one, from the first reachable port to the verdict."""
    comparison = Comparison("validation", "four machines", "one machine", aim=1.2)
    waited = Comparison("dev, image adopted", "pulumi up, four machines", "pulumi up, one machine", aim=1.2)
    for _ in range(ROUNDS[bench.pace]):
        for count in (4, 1):
            # All of them boot: none is started again that had stopped after the round before.
            must(bench.run(*bench.pulumi_argv("destroy", "dev", "--yes", "--skip-preview")))
            text = bench.stack_file("dev").read_text()
            bench.edit("lab/stacks/Pulumi.dev.yaml", r"^( +)timeoutSeconds: .*", rf"\g<0>\n\1clones: {count}")
            bench.same_chances()
            run = bench.run(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview"))
            whole = must(run)
            found = re.search(r"([0-9.]+) s after the first port answered", run.output)
            if found is None:
                raise LabError("the validation did not tell its time", hint=run.output[-2000:])
            for one, seconds in ((comparison, float(found[1])), (waited, whole)):
                (one.ours_seconds if count == 4 else one.theirs_seconds).append(seconds)
            bench.stack_file("dev").write_text(text)
    comparison.note = f"{os.cpu_count()} cores boot and answer for all of them"
    return [comparison, waited] if bench.pace == AT_AWS_PACE else [comparison]


MEASUREMENTS: dict[str, tuple[Callable[[Lab], list[Comparison]], ...]] = {
    "lab": (bake, clones, preview, rollback, gate, roll_out),
    "aws": (bake, clones, roll_out),
}
"""By pace. At AWS's the gate takes as long, and `preview` and `rollback` wait for no machine and no image."""


def show(comparisons: list[Comparison]) -> None:
    """Both sides, in seconds, and the ratio."""
    table = Table(title="medians, in seconds", title_justify="left")
    for name in ("what", "ours", "s", "against", "s", "ratio", "aim"):
        table.add_column(name, justify="right" if name in ("s", "ratio", "aim") else "left")
    for one in comparisons:
        less = f" less one boot ({one.extra:.1f})" if one.extra else ""
        table.add_row(
            one.title,
            one.ours + less,
            f"{statistics.median(one.ours_seconds):.1f}",
            one.theirs,
            f"{statistics.median(one.theirs_seconds):.1f}",
            f"{one.ratio:.2f}",
            f"≤ {one.aim}",
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    for one in comparisons:
        if one.note:
            print(f"{one.title}: {one.note}")


def main() -> int:
    """Measure in a lab of its own, which is gone afterwards; `--pace aws`: one that takes as long as AWS does."""
    options = argparse.ArgumentParser(description="Measure the project against the bare tools.")
    options.add_argument("--pace", choices=PACES, default=PACES[0], help="how long machines and images take")
    pace = options.parse_args().pace
    hear(signal.SIGINT, signal.SIGTERM)
    settings = lab_of("bench")
    done: list[Comparison] = []
    status = 0
    try:
        with reserved.own(settings, wait=False):
            work = settings.state_dir / "bench"
            work.mkdir()
            bench = Lab(settings, work / "project", pace=pace)
            for measure in MEASUREMENTS[pace]:
                print(f"measuring: {(measure.__doc__ or '').rstrip('.')} …", flush=True)
                done.extend(measure(bench))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    show(done)
    return status


if __name__ == "__main__":
    sys.exit(main())
