"""People and pipelines of the tests of iam/, each under the policies of its work."""

import json
from dataclasses import dataclass
from typing import Any

from lab.workbench import Run, Workbench
from tests.e2e.registry import Registry
from tests.policies import POLICIES

REVIEWER, BAKER, PROMOTER = "a-reviewer", "a-baker", "a-promoter"
"""Who tries what the policy of a preview, a bake, a promotion does not allow; so that it does not count as needed."""

ROLLER = "roll-out"
"""The pipeline of a stage with a group: it bears two policies."""

BORNE: dict[str, tuple[str, ...]] = {
    **{policy: (policy,) for policy in POLICIES if policy != "group"},
    ROLLER: ("promote", "group"),
}
"""Who acts, and under which policies."""


@dataclass
class Cast:
    """People and pipelines, each under the policy of the same name."""

    bench: Workbench
    images: Registry

    def act(self, who: str, *argv: str) -> Run:
        return self.bench.run(*argv, env={"AWS_ACCESS_KEY_ID": who})

    def pulumi(self, who: str, command: str, stack: str, *options: str) -> Run:
        return self.act(who, *self.bench.pulumi_argv(command, stack, *options))

    def up(self, who: str, stack: str) -> Run:
        return self.pulumi(who, "up", stack, "--yes", "--skip-preview")

    def destroy(self, who: str, stack: str) -> Run:
        return self.pulumi(who, "destroy", stack, "--yes", "--skip-preview")

    def cli(self, who: str, *words: str) -> Run:
        return self.act(who, "python", "-m", "pipeline", *words)


def own_images(bench: Workbench) -> set[str]:
    return {image["ImageId"] for image in bench.client("ec2").describe_images(Owners=["self"])["Images"]}


def doctor_of(who: str) -> str:
    """Who runs the doctor under somebody's policies: its dry runs try all of them, and must not count as needed."""
    return f"a-doctor-of-{who}"


def succeeded(run: Run) -> None:
    assert run.status == 0
    assert "not authorized" not in run.output


def refused(run: Run, action: str) -> None:
    """One error that names the action; the engine says beside it that the update failed."""
    assert run.status != 0
    assert f"is not authorized to perform: {action}" in run.output
    assert "Traceback" not in run.output
    errors = run.output[run.output.index("Diagnostics:") :]
    assert errors.count("is not authorized to perform: ") == 1


def examined(cast: Cast, who: str, *words: str) -> Run:
    return cast.cli(who, "doctor", *words, "--json", "--config-file", "lab/stacks/Pulumi.{stack}.yaml")


def made_every_check(cast: Cast, who: str, *words: str) -> dict[str, Any]:
    """The doctor finds nothing that would stop the work, and leaves nothing unchecked: its report."""
    run = examined(cast, who, *words)
    report: dict[str, Any] = json.loads(run.output)
    assert run.status == 0
    assert report["ready"]
    assert "not checked" not in {one["seen"] for one in report["findings"]}
    return report


def looked_at(calls: list[dict[str, Any]], who: str) -> set[str]:
    """What the doctor itself reads of EC2: no dry run, and so not what it only asks about."""
    mine = [call for call in calls if call["key"] == doctor_of(who)]
    return {f"ec2:{call['action']}" for call in mine if call["service"] == "ec2" and not call["dry"]}
