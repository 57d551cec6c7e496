"""All checks of an image on all of its machines, side by side."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone, say
from pipeline.results import FAILED, PASSED, CheckResult
from pipeline.scanning import imagescan, secretscan
from pipeline.validation import (
    accounts,
    allowances,
    completeness,
    floor,
    identity,
    pytest_run,
    redaction,
    sameness,
    show,
    uptime,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline import plans
    from pipeline.machines.clones import Clones
    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession

SMOKE_LINES = 10


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What an image has to pass.

    Attributes:
        plan: The step's plan.
        access: The way in.
        clones: Who can look at the machines from outside.
        deadline: When to give up.
    """

    plan: plans.Validate
    access: SshSession
    clones: Clones
    deadline: Deadline
    _ran: dict[str, frozenset[str]] = field(default_factory=dict)
    """Address of a machine to the services that ran on it at the last look."""

    _collected: set[str] = field(default_factory=set)
    """Ids of the checks that exist in packer/checks."""

    def results(self, machines: Sequence[Clone], found: list[CheckResult]) -> None:
        """Add the results of everything, without the secrets that a machine or a check has put into them.

        Raises:
            PipelineError: Something could not be run at all; the results of everything else are there.
        """
        allowed = secretscan.read_allowed()
        work: list[Callable[[], list[CheckResult]]] = [
            *(lambda clone=clone: self._first_look(clone) for clone in machines),
            lambda: self._identity(machines),
            lambda: accounts.check(
                machines[0], access=self.access, allowed=self.plan.allowed_skips, deadline=self.deadline
            ),
            # The machines are of one image, so one file system is enough.
            lambda: imagescan.check(
                machines[0],
                access=self.access,
                key=self.access.public_key,
                allowed=allowed,
                deadline=self.deadline,
            ),
        ]
        if self.plan.smoke_test:
            work.append(lambda: [self._smoke(machines)])
        with ThreadPoolExecutor(len(work)) as pool:
            done = [pool.submit(one) for one in work]
            wait(done)
        self._add(found, done)
        idle = allowances.unused(self.plan.allowed_skips, collected=self._collected, found=found)
        found += redaction.results(idle)

    def later(self, machines: Sequence[Clone], found: list[CheckResult]) -> None:
        """Add the results of a second look after a while, and of one more boot.

        Raises:
            PipelineError: There is no time left for it, or a machine does not come back.
        """
        if self.plan.soak_seconds:
            self._soak(machines, found)
        if self.plan.reboot and all(result.outcome != FAILED for result in found):
            self._each(machines, self._second_boot, found)

    def _soak(self, machines: Sequence[Clone], found: list[CheckResult]) -> None:
        if self.deadline.remaining() <= self.plan.soak_seconds:
            raise PipelineError(
                "there is no time left to see whether the machines stay well",
                seen=f"{self.deadline.remaining():.0f} s are left",
                allowed=f"more than the {self.plan.soak_seconds} s of golden-image:validation.soakSeconds",
                change="golden-image:validation.timeoutSeconds in the stack file",
            )
        say(f"all machines: a second look in {self.plan.soak_seconds} s")
        self._each(machines, self._soaked, found)

    def _first_look(self, clone: Clone) -> list[CheckResult]:
        if self.plan.soak_seconds or self.plan.reboot:
            units = uptime.look(clone, access=self.access)
            self._ran[clone.address] = uptime.daemons(units, uptime.running(units))
        return self._checks(clone)

    def _soaked(self, clone: Clone) -> list[CheckResult]:
        """What ran when the checks had passed has to run on for a while."""
        self._ran[clone.address] |= uptime.running(uptime.look(clone, access=self.access))
        time.sleep(self.plan.soak_seconds)
        return _after(
            "soak",
            [
                *self._floor(clone, patient=False),
                *self._uptime(clone, uptime.look(clone, access=self.access)),
            ],
        )

    def _second_boot(self, clone: Clone) -> list[CheckResult]:
        try:
            uptime.reboot(clone, access=self.access, clones=self.clones, deadline=self.deadline)
        except PipelineError:
            show.console(clone, self.clones)
            raise
        checked = self._checks(clone)
        units = uptime.look(clone, access=self.access)
        self._ran[clone.address] = uptime.due(units, self._ran[clone.address])
        return _after("reboot", [*checked, *self._uptime(clone, units)])

    def _uptime(self, clone: Clone, units: uptime.Units) -> list[CheckResult]:
        found = uptime.check(clone, units, self._ran[clone.address])
        self._ran[clone.address] = uptime.running(units)
        return found

    def _floor(self, clone: Clone, *, patient: bool = True) -> list[CheckResult]:
        return floor.check(
            clone,
            access=self.access,
            health_port=self.plan.health_port,
            deadline=self.deadline,
            health_wait=self.plan.health_wait_seconds,
            patient=patient,
        )

    def _each(
        self, machines: Sequence[Clone], look: Callable[[Clone], list[CheckResult]], found: list[CheckResult]
    ) -> None:
        with ThreadPoolExecutor(len(machines)) as pool:
            done = [pool.submit(look, clone) for clone in machines]
            wait(done)
        self._add(found, done)

    def _add(self, found: list[CheckResult], done: Sequence[Future[list[CheckResult]]]) -> None:
        wrong = [error for one in done if (error := one.exception())]
        fresh = [result for one in done if not one.exception() for result in one.result()]
        # One machine is what the stack asks for; the preview and the report say what that leaves open.
        allowed = {identity.ONE_MACHINE: "golden-image:validation.clones is 1", **self.plan.allowed_skips}
        judged = completeness.without_skips(identity.without_registration(fresh), allowed)
        found += redaction.results(judged)
        if wrong:
            raise wrong[0]

    def _checks(self, clone: Clone) -> list[CheckResult]:
        """What a team may change (its checks) between what it may not (the floor)."""
        ground = self._floor(clone)
        run = pytest_run.run([clone], access=self.access, role=self.plan.role, deadline=self.deadline)
        self._collected.update(run.roles)
        tested = bool(self.plan.smoke_test) or run.tests_role(self.plan.role)
        return [*ground, *run.results, floor.role_test(clone, self.plan.role, tested=tested)]

    def _identity(self, machines: Sequence[Clone]) -> list[CheckResult]:
        script = Path(identity.SCRIPT).read_bytes()

        def read(clone: Clone) -> dict[str, str]:
            said = identity.parse(self._as_root(clone, script, f"read the identity of {clone}"))
            return {**said, **sameness.offered(clone)}

        with ThreadPoolExecutor(len(machines)) as pool:
            found = dict(zip((clone.address for clone in machines), pool.map(read, machines), strict=True))
        command = f"cat {identity.BUILDER_FILE} 2>/dev/null || true\n".encode()
        builder = identity.parse(self._as_root(machines[0], command, "read the builder's identity"))
        return [
            *identity.compare(found, builder),
            *sameness.files(
                machines, access=self.access, allowed=self.plan.allowed_skips, deadline=self.deadline
            ),
        ]

    def _as_root(self, clone: Clone, script: bytes, purpose: str) -> str:
        try:
            done = self.access.read(
                clone.address, ["sudo", "sh"], stdin=script, timeout=self.deadline.remaining() or 1
            )
        except subprocess.TimeoutExpired:
            raise PipelineError(
                f"could not {purpose}", seen=f"no answer within {self.deadline.seconds:.0f} s"
            ) from None
        if done.returncode != 0:
            raise PipelineError(
                f"could not {purpose}",
                seen=done.stderr.decode(errors="replace").strip(),
                allowed="a user who may become root without a password",
                change="golden-image:validation.sshUser in the stack file",
            )
        return done.stdout.decode(errors="replace")

    def _smoke(self, machines: Sequence[Clone]) -> CheckResult:
        """The team's own command, on this machine, with the clones' addresses."""
        assert self.plan.smoke_test is not None  # asked only then
        environment = {
            **os.environ,
            "GOLDEN_IMAGE_ADDRESSES": " ".join(clone.address for clone in machines),
            "GOLDEN_IMAGE_ROLE": self.plan.role,
            "GOLDEN_IMAGE_ID": self.plan.image_id,
        }
        before = self.deadline.elapsed()
        with (
            # A file, for what the command leaves running would keep a pipe open.
            tempfile.TemporaryFile("w+", errors="replace") as output,
            subprocess.Popen(
                ["sh", "-c", self.plan.smoke_test], env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            ) as process,
        ):  # fmt: skip
            try:
                status = f"exit status {process.wait(self.deadline.remaining() or 1)}"
            except subprocess.TimeoutExpired:
                status = f"did not end within {self.deadline.seconds:.0f} s"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            output.seek(0)
            printed = output.read().splitlines()[-SMOKE_LINES:]
        passed = status == "exit status 0"
        result = CheckResult(
            check="smoke-test",
            address="",
            outcome=PASSED if passed else FAILED,
            seconds=round(self.deadline.elapsed() - before, 2),
            seen="" if passed else "\n".join([status, *printed]),
            wanted="" if passed else f"exit status 0 of: {self.plan.smoke_test}",
        )
        say(f"all machines: {result.check} {pytest_run.MARKS[result.outcome]} ({result.seconds:.1f} s)")
        return result


def _after(what: str, results: Sequence[CheckResult]) -> list[CheckResult]:
    """The results under names of their own."""
    return [replace(result, check=f"after-{what}::{result.check}") for result in results]
