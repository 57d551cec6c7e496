"""A stack that moves a channel, as the sweeps drive it; and two of them that move the same one."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from lab.workbench import Run, Workbench
from tests.e2e.tally import HOLDERS, STUCK, TRACEBACK

CHANNEL = "prod"
TRACE = re.compile(r"Traceback \(most recent call last\)|panic:|RuntimeWarning")
WAY_OUT = re.compile(r"`python -m pipeline (adopt \S+ --version \d+)`")
LOOK_SECONDS = 0.05

Findings = Iterator[tuple[str, object]]


class Mover:
    """A stack of a role's channel, and the working copy in which its owner sits.

    Args:
        bench: The working copy.
        role: The role.
        stack: The stack's name.
        key: Access key id of the program, by which the lab's faults know it.
    """

    def __init__(self, bench: Workbench, role: str, stack: str, key: str) -> None:
        self.bench = bench
        self.role = role
        self.stack = stack
        self.key = key
        self._template_id: str | None = None
        bench.env["AWS_ACCESS_KEY_ID"] = key

    @cached_property
    def argv(self) -> list[str]:
        """An update, without a preview before it."""
        return self.bench.pulumi_argv("up", self.stack, "--yes", "--skip-preview")

    def ask_for(self, image: str) -> None:
        """Pin an image in the stack's file."""
        lines = (
            "aws:region: eu-west-1",
            f"golden-image:role: {self.role}",
            f"golden-image:channel: {CHANNEL}",
        )
        text = "".join(f"  {line}\n" for line in (*lines, f"golden-image:image: {image}"))
        self.bench.stack_file(self.stack).write_text(f"config:\n{text}")

    def up(self) -> Run:
        """Update."""
        return self.bench.run(*self.argv)

    @contextmanager
    def moving(self, *argv: str) -> Iterator["Moving"]:
        """An update that runs, or another command."""
        with self.bench.start(*(argv or self.argv)) as process:
            yield Moving(self.bench, process)

    def unchanged(self) -> bool:
        """Whether a preview says that there is nothing to do, once it can see all that has been written."""
        self.bench.await_reads()
        return self.bench.preview(self.stack, "--expect-no-changes").status == 0

    def adopt(self, words: str) -> Run:
        """What a refusal says is the way out: `adopt …`."""
        return self.bench.run(
            "python",
            "-m",
            "pipeline",
            *words.split(),
            "--config-file",
            str(self.bench.stack_file(self.stack)),
        )

    def pointer(self) -> str | None:
        """The image that the channel's pointer names."""
        return self.bench.pointer(self.role, CHANNEL)

    def template(self) -> str | None:
        """The image in the version of the launch template that consumers get; None if the stack has none."""
        if self._template_id is None:
            _ = self.argv  # The stack exists once this has been made.
            self._template_id = self.bench.outputs(self.stack).get("launchTemplateId")
        if self._template_id is None:
            return None
        found = self.bench.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self._template_id, Versions=["$Default"]
        )["LaunchTemplateVersions"][0]
        image: str = found["LaunchTemplateData"]["ImageId"]
        return image

    def lookup(self) -> Findings:
        """The lookup by tag finds the image of the pointer, or none."""
        holders, pointer = self.bench.holders(self.role, CHANNEL), self.pointer()
        yield HOLDERS, holders not in ([], [pointer]) and f"{holders}, pointer {pointer}"

    def wrong(self, image: str) -> list[str]:
        """Where anything else than that image is."""
        named = {
            "pointer": [self.pointer()],
            "launch template": [self.template()],
            "lookup": self.bench.holders(self.role, CHANNEL),
        }
        return [f"{where}: {found}, not {image}" for where, found in named.items() if found != [image]]

    def way_out(self, image: str) -> Findings:
        """What the update itself prints as the way out puts the channel right: that, or a second update a bit later."""
        self.ask_for(image)
        run = self.up()
        yield TRACEBACK, TRACE.search(run.output)
        if run.status != 0:
            if printed := WAY_OUT.search(run.output):
                self.adopt(printed[1])
            # SSM writes seconds after the call; until then a provider does not find a pointer that was made anew.
            self.bench.await_reads()
            again = self.up()
            yield TRACEBACK, TRACE.search(again.output)
            yield STUCK, again.status != 0 and again.output
        yield STUCK, self.wrong(image)

    def unlock(self) -> None:
        """Remove the lock of a killed update, as `pulumi cancel` does."""
        shutil.rmtree(self._backend() / ".pulumi" / "locks")

    def take_state(self, other: "Mover") -> None:
        """Be the same stack in another place: with a copy of its state."""
        shutil.rmtree(self._backend())
        shutil.copytree(other._backend(), self._backend())
        self._be(other.stack)

    def begin_anew(self, stack: str) -> None:
        """Be another stack, which is new."""
        shutil.rmtree(self._backend())
        self._backend().mkdir()
        self._be(stack)

    def _be(self, stack: str) -> None:
        self.stack = stack
        self._template_id = None
        self.__dict__.pop("argv", None)

    def _backend(self) -> Path:
        return Path(self.bench.env["PULUMI_BACKEND_URL"].removeprefix("file://"))


class Moving:
    """An update that runs.

    Args:
        bench: Its working copy.
        process: Pulumi.
    """

    def __init__(self, bench: Workbench, process: subprocess.Popen[str]) -> None:
        self._bench = bench
        self._process = process
        self._printed = ""

    def printed(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed a line that matches.

        Raises:
            AssertionError: It ended before.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._printed += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern!r} never came:\n{self._printed}")

    def until(self, struck: int) -> bool:
        """Wait until the lab has struck so many calls; False if the update ended before."""
        while len(self._bench.struck()) < struck:
            if self._process.poll() is not None:
                return len(self._bench.struck()) >= struck
            time.sleep(LOOK_SECONDS)
        return True

    def end(self) -> Run:
        """Wait for its end."""
        assert self._process.stdout is not None
        output = self._printed + self._process.stdout.read()
        sys.stdout.write(output)
        return Run(self._process.wait(), output, 0.0)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes, as Ctrl-C in a terminal or the death of the machine does."""
        if number == signal.SIGKILL:
            self.kill(whole=True)
        else:
            os.killpg(self._process.pid, number)

    def kill(self, *, whole: bool) -> None:
        """SIGKILL to Pulumi, or to all of its processes, as when the machine dies."""
        processes = [psutil.Process(self._process.pid)]
        if whole:
            processes += processes[0].children(recursive=True)
        for process in processes:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue


def rule(mover: Mover, kind: str, number: int = 0, **more: Any) -> Mapping[str, Any]:
    """A rule of the lab for the call of that number that a mover's program makes, counted from 0."""
    return {"action": "*", "key": mover.key, "kind": kind, "after": number, **more}
