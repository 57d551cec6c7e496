"""Runs Packer, under supervision, with its log shown live and kept."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline import log
from pipeline.baking import leftovers, supervisor, version
from pipeline.baking.brief import Brief
from pipeline.baking.diagnose import diagnose
from pipeline.baking.failedtask import failed_task
from pipeline.baking.livelog import Live, Redactor
from pipeline.baking.manifest import Artifact, last_artifact
from pipeline.errors import PipelineError
from pipeline.scanning import gitleaks
from pipeline.settings.role import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

BUILD_NAME = "image"
"""Name of the template's source; Packer's manifest names a build after it."""

GRACE_SECONDS = 600.0
"""How long Packer may take to remove its builder after an interruption."""

WAIT_SECONDS = GRACE_SECONDS + 60
"""How long a bake waits for an earlier one of the same key that is still cleaning up."""

REPORTS = Path("reports")
"""Where a run of the pipeline keeps what is to be read after it."""

OWN_ADDRESS_HOST = "checkip.amazonaws.com"
"""Whom the amazon plugin asks for this machine's public address (common/checkip.go)."""

TAIL_LINES = 25

_STARTED = "==> "
"""How Packer begins the lines of a build that has started."""


def state_folder(key: str) -> Path:
    """Where the files of a key's bakes are kept (XDG's state folder): variables, manifest, log, lock."""
    base = Path(os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local" / "state")))
    return base / "golden-image" / "bakes" / key


def say(text: str) -> None:
    """One line of the step's own log."""
    log.log("bake", text)


@contextmanager
def only_one(folder: Path) -> Generator[IO[str]]:
    """Hold the lock of a key's bakes; wait, and say so, while an earlier one still cleans up.

    Raises:
        PipelineError: It did not become free in time.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("a+") as lock:
        deadline = time.monotonic() + WAIT_SECONDS
        announced = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not announced:
                    say("another bake of this image runs on this machine, or still cleans up; waiting for it")
                    announced = True
                if time.monotonic() > deadline:
                    raise PipelineError(
                        "another bake of this image has not ended",
                        seen=f"{folder / 'lock'} is held for more than {WAIT_SECONDS:.0f} s",
                        change=f"see {folder / 'packer.log'}; end its packer process with SIGINT",
                    ) from None
                time.sleep(0.5)
        yield lock


def build(folder: Path, variables: Mapping[str, Any], lock: IO[str], *, limit_seconds: float) -> Artifact:
    """Run `packer build`; its steps go to stderr, live. Its whole log is in packer.log, without secrets in reports/.

    Args:
        folder: The key's folder, whose lock is held.
        variables: Values of template variables; None means unset. ``region`` and ``bake_id`` are among them.
        lock: The held lock. The supervisor inherits it, so that it is held as long as Packer runs.
        limit_seconds: How long Packer may run.

    Raises:
        PipelineError: Packer is missing or too old, gitleaks is missing, the template is not valid, the build failed,
            or it made no image.
    """
    version.require()
    # The validation needs it, and a bake takes minutes: better to miss it now.
    gitleaks.command()
    values = folder / "variables.json"
    manifest = folder / "manifest.json"
    output = folder / "packer.log"
    given = {name: value for name, value in variables.items() if value is not None}
    values.write_text(json.dumps({**given, "manifest_path": str(manifest)}))
    manifest.unlink(missing_ok=True)
    output.unlink(missing_ok=True)
    _check(["packer", "init", str(TEMPLATE)], "the Packer plugins cannot be installed")
    run = (str(variables["region"]), str(variables["bake_id"]))
    kept = REPORTS / f"bake-{folder.name}.log"
    say(f"Packer's whole log: {kept} (without secrets), {output} (as Packer printed it)")
    status = _supervised(
        ["packer", "build", "-color=false", f"-var-file={values}", str(TEMPLATE)],
        supervisor.Options(
            log=str(output),
            watch=supervisor.engine_processes(),
            grace_seconds=GRACE_SECONDS,
            limit_seconds=limit_seconds,
            run=run,
        ),
        lock,
        kept,
    )
    text = output.read_text(errors="replace")
    if status != 0:
        left = leftovers.remove(region=run[0], bake_id=run[1], say=say)
        raise _with_leftovers(_failure(status, text, output, limit_seconds), left)
    if not manifest.exists():
        raise PipelineError("Packer ended well, but wrote no manifest", change=f"see {output}")
    return last_artifact(manifest.read_text(), build=BUILD_NAME)


def _check(argv: list[str], problem: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode != 0:
        raise PipelineError(
            problem, seen=(done.stdout + done.stderr).strip(), change=f"packer/; by hand: {' '.join(argv)}"
        )


def _environment() -> dict[str, str]:
    # The Ansible of this interpreter's environment, whether that is activated or not.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    # SSH goes through no proxy: Packer has to let in the address that it comes from, and not the proxy's.
    direct = ",".join(
        filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), OWN_ADDRESS_HOST])
    )
    return {
        **os.environ, "PATH": path, "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1", "NO_PROXY": direct,
    }  # fmt: skip


def _supervised(argv: list[str], options: supervisor.Options, lock: IO[str], kept: Path) -> int:
    with subprocess.Popen(
        supervisor.command_line(options, argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Not our stderr: the engine's call returns only once nobody holds it any more.
        stderr=subprocess.DEVNULL,
        env=_environment(),
        pass_fds=[lock.fileno()],
        start_new_session=True,
    ) as process:
        assert process.stdin is not None  # asked for above
        assert process.stdout is not None
        live = Live(process.stdout, options.log, Brief(kept))
        try:
            while True:
                try:
                    live.show()
                    return process.wait()
                except KeyboardInterrupt:
                    say("interrupted; Packer cleans up")
                    process.stdin.close()
        finally:
            # If nothing can be shown any more, the supervisor ends what would print on.
            process.stdin.close()


def _with_leftovers(error: PipelineError, left: list[str]) -> PipelineError:
    """The same error, which also names what could not be removed."""
    if not left:
        return error
    return PipelineError(
        f"{error.what}; some of what it made is still there",
        seen="\n".join(filter(None, [error.seen, *(f"still there: {problem}" for problem in left)])),
        allowed=error.allowed,
        change=f"{error.change}\nwhat is still there costs money: `python -m pipeline doctor` has the commands "
        "that remove it",
    )


def _failure(status: int, text: str, output: Path, limit_seconds: float) -> PipelineError:
    if status == supervisor.INTERRUPTED:
        return PipelineError("the bake was interrupted", change="run it again")
    # All of it: of a key that begins before the last lines nothing would be recognised.
    clean = "\n".join(Redactor().redacted(text.splitlines()))
    if status == supervisor.TIMED_OUT:
        return PipelineError(
            f"the bake did not end within {limit_seconds / 60:g} minutes, and was stopped",
            seen=_tail(clean),
            allowed=f"at most {limit_seconds / 60:g} minutes",
            change=f"find out what it waited for in the whole log: {output}\n"
            "or raise golden-image:bake.timeoutMinutes in the stack file",
        )
    if _STARTED not in text:
        # It looks at the whole template before it does anything, and says what is wrong in its own words.
        return PipelineError(
            "the Packer template is not valid",
            seen=clean.strip(),
            change=f"{TEMPLATE}/, or the values given to it",
        )
    known = diagnose(text)
    return PipelineError(
        f"the bake failed: {known.cause}" if known else f"the bake failed (Packer's exit status {status})",
        seen=gitleaks.redacted(failed_task(clean) or _tail(clean)),
        change=f"{known.cure}\nthe whole log: {output}" if known else f"the whole log: {output}",
    )


def _tail(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-TAIL_LINES:])
