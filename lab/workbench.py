"""A working copy of the project, driven in the lab as a person drives it: edit, `pulumi up`, look.

What the demo and the end-to-end tests share. Edits go to a copy, so that a checkout stays as it is.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from lab import environment, manners, redhat_like
from lab import settings as lab_settings
from lab.errors import LabError
from lab.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.settings import LabSettings

PROJECT = Path(__file__).resolve().parent.parent
HEARING = ("env", "--default-signal=INT,TERM,HUP")
"""Before a command: it hears what ends it though this process may ignore that. With SIGINT ignored every `pulumi` waits
5 s for plugins that do not hear it."""

LAB_SECONDS = 300.0
"""How long the lab's own calls may take: one waits for what the lab is at, and thousands of calls are a long list."""

ANSWER_SECONDS = 300.0
"""How long a new machine may take until its web server answers."""


@dataclass(frozen=True)
class Run:
    """A command that has ended: its status, what it printed on both streams, and how long it took."""

    status: int
    output: str
    seconds: float


class Workbench(Project):
    """A copy of the project, with the environment of a lab that is up.

    Args:
        settings: The lab.
        folder: Where the copy goes; must not exist.
        echo: Show each command and its output while it runs.
    """

    def __init__(self, settings: LabSettings, folder: Path, *, echo: bool) -> None:
        self.settings = settings
        self.echo = echo
        self.env = {**os.environ, **environment.variables(settings), "PYTHONUNBUFFERED": "1"}
        super().__init__(PROJECT, folder)

    def run(self, *argv: str, env: Mapping[str, str] | None = None) -> Run:
        """Run a command in the copy."""
        started = time.monotonic()
        lines = []
        with self.start(*argv, env=env) as process:
            assert process.stdout is not None  # start() asked for a pipe
            for line in process.stdout:
                lines.append(line)
                if self.echo:
                    print(f"    {line}", end="", flush=True)
        return Run(process.wait(), "".join(lines), time.monotonic() - started)

    def start(self, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command in the copy; both its streams come through one pipe."""
        if self.echo:
            print(f"  $ {' '.join(argv)}", flush=True)
        return subprocess.Popen(
            [*HEARING, *argv], cwd=self.folder, env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True,
        )  # fmt: skip

    def pulumi_argv(self, command: str, stack: str, *options: str) -> list[str]:
        """Command line of a `pulumi` command on a stack; the stack is made first if it is new."""
        made = subprocess.run(
            # There is the lab's salt; here, the command would write one into the project's stack file.
            [*HEARING, "pulumi", "--cwd", "lab/stacks", "stack", "select", "--create", "--non-interactive", stack],
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise LabError(f"pulumi stack select {stack}: {made.stderr.strip()}", hint="is the lab up?")
        return [
            "pulumi", command, "--stack", stack, "--non-interactive", "--color=never",
            "--config-file", str(self.stack_file(stack).relative_to(self.folder)), *options,
        ]  # fmt: skip

    def up(self, stack: str) -> Run:
        """`pulumi up` without questions."""
        return self.run(*self.pulumi_argv("up", stack, "--yes", "--skip-preview"))

    def preview(self, stack: str, *options: str) -> Run:
        """`pulumi preview` with the changed properties shown."""
        return self.run(*self.pulumi_argv("preview", stack, "--diff", *options))

    def outputs(self, stack: str) -> dict[str, Any]:
        """The stack's outputs."""
        done = subprocess.run(
            [*HEARING, "pulumi", "stack", "output", "--json", "--stack", stack],
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def client(self, service: str, key: str = environment.ONLOOKER) -> Any:
        """A boto3 client of the lab, of whoever has that access key id; the onlooker sees what is so, at once."""
        return environment.client(self.settings, service, key)

    def calls(self) -> list[dict[str, Any]]:
        """The calls that the lab has answered since `forget_calls`: key, service, action, status, dry."""
        found: list[dict[str, Any]] = self._of_lab("GET", "calls")
        return found

    def _of_lab(self, method: str, name: str, body: Any = None) -> Any:
        """One of the lab's own calls, which are no part of AWS."""
        url = f"{self.settings.endpoint}/lab-api/{name}"
        return httpx.request(method, url, json=body, timeout=LAB_SECONDS).raise_for_status().json()

    def forget_calls(self) -> None:
        """Begin to count calls anew."""
        self._of_lab("DELETE", "calls")

    def set_permissions(self, policies: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Let those with these access key ids do only what their policies allow; all others may do everything."""
        self._of_lab("PUT", "permissions", policies)

    def set_faults(self, *rules: Mapping[str, Any]) -> None:
        """Let the API fail from now on as the rules say (`lab.faults.Fault`); none lets it work."""
        self._of_lab("PUT", "faults", rules)

    def struck(self) -> list[str]:
        """The actions that a rule has struck so far."""
        found: list[str] = self._of_lab("GET", "faults")
        return found

    def set_manners(self, *names: str, seed: int = manners.SEED, pace: str = "lab") -> None:
        """Let the lab have exactly these of AWS's manners (`lab.manners`)."""
        self._of_lab("PUT", "manners", {"names": names, "seed": seed, "pace": pace})

    def await_reads(self) -> None:
        """Return once every read shows all that has been written so far."""
        while (lag := self._of_lab("GET", "lag")) > 0:
            time.sleep(lag)

    def crowd(self, count: int, **tags: str) -> None:
        """Let the account have so many images more (`lab.account.crowd`)."""
        self._of_lab("PUT", "crowd", {"count": count, "tags": tags})

    def offer_redhat(self, *, registration_seconds: int) -> str:
        """Publish the source image like Red Hat's (`lab.redhat_like`), and let dev bake from it; returns its id."""
        redhat_like.ensure()
        image_id: str = self._of_lab("PUT", "redhat", {"registration_seconds": registration_seconds})
        file = self.stack_file("dev").relative_to(self.folder)
        for key, value in redhat_like.stack_values().items():
            self.edit(file, rf"^( +{key}): .*", rf"\1: {value}")
        return image_id

    def launch(self, template_id: str, version: str) -> Machine:
        """Start a machine from a launch template's version."""
        answer = self.client("ec2").run_instances(
            LaunchTemplate={"LaunchTemplateId": template_id, "Version": version}, MinCount=1, MaxCount=1
        )
        instance = answer["Instances"][0]
        return Machine(self, instance["InstanceId"], instance["PrivateIpAddress"])

    def holders(self, role: str, channel: str) -> list[str]:
        """Ids of our images that carry both tags: the lookup of a consumer who knows only tags."""
        answer = self.client("ec2").describe_images(
            Owners=["self"],
            Filters=[
                {"Name": "tag:Role", "Values": [role]},
                {"Name": "tag:ImageChannel", "Values": [channel]},
            ],
        )
        return sorted(image["ImageId"] for image in answer["Images"])

    def pointer(self, role: str, channel: str) -> str | None:
        """The image that a channel's parameter names."""
        ssm = self.client("ssm")
        try:
            value: str = ssm.get_parameter(Name=f"/golden-image/{role}/{channel}")["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            return None
        return value


@dataclass(frozen=True)
class Machine:
    """A machine launched from a template."""

    bench: Workbench
    instance_id: str
    address: str

    def get(self, path: str) -> httpx.Response:
        """Ask the machine's web server, once its port answers.

        Raises:
            LabError: It did not answer in time.
        """
        self.wait_for(80)
        return httpx.get(f"http://{self.address}{path}", timeout=10)

    def wait_for(self, port: int) -> None:
        """Return once a TCP port answers.

        Raises:
            LabError: It did not in time.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                with socket.create_connection((self.address, port), timeout=1):
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"{self.instance_id} ({self.address}) did not answer on port {port} within "
                        f"{ANSWER_SECONDS:.0f} s: {error}",
                        hint=f"python -m lab console {self.instance_id}",
                    ) from error
                time.sleep(0.1)

    def version(self) -> dict[str, str]:
        """What the page says of the image: version, build, commit."""
        answer: dict[str, str] = self.get("/version.json").raise_for_status().json()
        return answer

    def terminate(self) -> None:
        """End the machine."""
        self.bench.client("ec2").terminate_instances(InstanceIds=[self.instance_id])


def lab_of(name: str) -> LabSettings:
    """Settings of the lab called `name`, which this process and its children use from now on."""
    os.environ["GOLDEN_IMAGE_LAB"] = name
    return lab_settings.load()
