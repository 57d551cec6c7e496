""".gitlab-ci.yml, run by gitlab-ci-local: note on the merge request, dev on main, then prod by hand.

Its jobs run on this machine without a container, against the lab as the account and a server that answers as GitLab's
documentation says. `lint` and `unit` are make targets that the suite runs itself; here they are listed only.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import environment
from lab.workbench import PROJECT, Run, Workbench
from tests.e2e.test_docs import ROLE, own_values
from tests.unit.pipeline.review.forge_server import TOKEN, Forge, serving
from tools import node

READS = ("Describe", "Get", "List", "AssumeRoleWithWebIdentity")
MERGE_REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "42", "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.test/team/images",
}  # fmt: skip

KEY = environment.CREDENTIALS
"""For the job that bakes: Packer's plugin exchanges a job's token at AWS's own STS, whatever endpoint is set."""


class GitLab:
    """A project, and a runner on this machine.

    Args:
        bench: The project's working copy.
        forge: The server that has the merge request.
        folder: For what a job's container would have.
    """

    def __init__(self, bench: Workbench, forge: Forge, folder: Path) -> None:
        self.bench, self.forge, self.folder = bench, forge, folder
        self.command = str(node.ensure())
        self.state = bench.env["PULUMI_BACKEND_URL"]
        # As it is after a clone; nothing of the project is on PATH, and the account's key is nowhere.
        (bench.folder / ".venv").unlink()
        path = [entry for entry in bench.env["PATH"].split(os.pathsep) if not entry.startswith(str(PROJECT))]
        # The container's packages are this machine's.
        apt = folder / "apt-get"
        apt.write_text(f'#!/bin/sh\necho "$*" >> {folder}/apt-get.calls\n')
        apt.chmod(0o755)
        self.env = {**bench.env, "PATH": os.pathsep.join([str(folder), *path])}
        for name in (*environment.CREDENTIALS, "AWS_REGION", "AWS_DEFAULT_REGION", "PULUMI_BACKEND_URL",
                     "PULUMI_CONFIG_PASSPHRASE", "PACKER_PLUGIN_PATH"):  # fmt: skip
            del self.env[name]

    def variables(self, event: dict[str, str]) -> list[str]:
        """The options for the project's variables, which the file's first lines name, and for GitLab's own."""
        account = {
            f"AWS_{name}_ROLE_ARN": self.role(name) for name in ("PREVIEW", "BAKE", "PROMOTE", "OPERATE")
        }
        ours = {
            **account, "AWS_REGION": "eu-west-1", "PULUMI_BACKEND_URL": self.state,
            "PULUMI_CONFIG_PASSPHRASE": "lab", "GITLAB_TOKEN": TOKEN,
        }  # fmt: skip
        theirs = {
            "AWS_ID_TOKEN": "the job's token", "CI_API_V4_URL": f"{self.forge.url}/api/v4", "CI_PROJECT_ID": "42",
        }  # fmt: skip
        # Where a container has a folder of its own.
        here = {
            "GOLDEN_IMAGE_CACHE": str(Path.home() / ".cache/golden-image"),
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.folder / "id-token"),
        }
        every = {**ours, **theirs, **here, **event}
        return [f"--variable={name}={value}" for name, value in every.items()]

    def role(self, name: str) -> str:
        return f"arn:aws:iam::123456789012:role/{name.lower()}"

    def jobs(self, event: dict[str, str]) -> dict[str, str]:
        """The jobs of a pipeline and when they run: on success, or by hand."""
        run = self._run("--list-json", *self.variables(event))
        found = json.loads(run.output[run.output.index("\n[") :])
        return {job["name"]: job["when"] for job in found if job["when"] != "never"}

    def run(self, job: str, event: dict[str, str]) -> Run:
        """Run one job of a pipeline."""
        return self._run("--force-shell-executor", job, *self.variables(event))

    def _run(self, *options: str) -> Run:
        before, self.bench.env = self.bench.env, self.env
        try:
            return self.bench.run(self.command, "--no-color", *options)
        finally:
            self.bench.env = before


@pytest.fixture(scope="module")
def gitlab(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitLab]:
    bench.set_version("8.1.0")
    for stack in ("dev", "prod"):
        (bench.folder / f"Pulumi.{stack}.yaml").write_text(own_values(bench, stack))
    # As the file's first lines say: once, by hand.
    for stack in ("dev", "prod"):
        assert bench.run("pulumi", "stack", "init", stack, "--non-interactive").status == 0
    bench.commit("This account's stack files")
    for argv in (
        ("branch", "--move", "main"),
        ("remote", "add", "origin", "git@gitlab.test:team/images.git"),
        ("update-ref", "refs/remotes/origin/main", "HEAD"),
        ("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
    ):
        assert bench.run("git", *argv).status == 0
    with serving("gitlab") as forge:
        yield GitLab(bench, forge, tmp_path_factory.mktemp("runner"))


def test_from_the_merge_request_to_prod(gitlab: GitLab) -> None:
    bench = gitlab.bench

    # The very first merge request: its job is red, as prod has nothing to take yet; the note says so, and what to do.
    assert bench.run("git", "switch", "--create", "web-8-1-0").status == 0
    assert gitlab.jobs(MERGE_REQUEST) == dict.fromkeys(("lint", "unit", "preview"), "on_success")
    assert gitlab.run("preview", MERGE_REQUEST).status == 1
    [note] = gitlab.forge.notes
    assert "### dev: first web image will be baked; promoted if validation passes" in note["body"]
    assert "### prod: the preview failed: channel candidate holds no image" in note["body"]
    installed = (gitlab.folder / "apt-get.calls").read_text()
    assert installed == "update -q\ninstall -q -y --no-install-recommends python3 python3-venv\n"

    # Merged: dev by itself, prod only by hand.
    assert bench.run("git", "switch", "main").status == 0
    assert gitlab.jobs({}) == {**dict.fromkeys(("lint", "unit", "dev"), "on_success"), "prod": "manual"}
    # A schedule runs one job, and only a runner for it gives the end-to-end tests theirs.
    assert gitlab.jobs({"CI_PIPELINE_SOURCE": "schedule"}) == {"retire": "on_success"}
    assert "e2e" in gitlab.jobs({**MERGE_REQUEST, "GOLDEN_IMAGE_E2E_TAG": "machines"})
    run = gitlab.run("dev", KEY)
    assert run.status == 0
    assert "# Channel candidate holds" in run.output
    image = bench.pointer(ROLE, "candidate")
    assert image is not None
    assert bench.pointer(ROLE, "prod") is None

    # A merge request: the note, in its place, and nothing else, in the name of the previewing role.
    bench.forget_calls()
    assert gitlab.run("preview", MERGE_REQUEST).status == 0
    [note] = gitlab.forge.notes
    assert "### dev: nothing to do" in note["body"]
    assert f"### prod: first web image: `{image}`" in note["body"]
    calls = bench.calls()
    assert [call for call in calls if not call["action"].startswith(READS)] == []
    assert "AssumeRoleWithWebIdentity" in {call["action"] for call in calls}
    assert environment.KEY not in {call["key"] for call in calls}

    # A job that fails ends with what doctor found.
    bench.set_faults(
        {"action": "PutParameter", "kind": "error", "code": "AccessDeniedException", "times": 100}
    )
    run = gitlab.run("prod", {})
    bench.set_faults()
    assert run.status == 1
    assert "AccessDenied" in run.output
    assert 'python -m pipeline doctor "$STACK"' in run.output
    assert bench.pointer(ROLE, "prod") is None

    assert gitlab.run("prod", {}).status == 0
    assert bench.pointer(ROLE, "prod") == image
    assert bench.holders(ROLE, "prod") == [image]

    assert gitlab.run("preview", MERGE_REQUEST).status == 0
    [note] = gitlab.forge.notes
    assert "### prod: nothing to do" in note["body"]
