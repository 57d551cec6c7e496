"""Runs Packer, under supervision, with its log shown live and kept."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline import log
from pipeline.baking import supervisor, version
from pipeline.baking.diagnose import diagnose
from pipeline.baking.manifest import Artifact, last_artifact
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

TEMPLATE = Path("packer")
BUILD_NAME = "web-base"
GRACE_SECONDS = 600.0
"""How long Packer may take to remove its builder after an interruption."""

WAIT_SECONDS = GRACE_SECONDS + 60
"""How long a bake waits for an earlier one of the same key that is still cleaning up."""

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
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say("another bake of this image runs on this machine, or still cleans up; waiting for it")
                    told = True
                if time.monotonic() > deadline:
                    raise PipelineError(
                        "another bake of this image has not ended",
                        seen=f"{folder / 'lock'} is held for more than {WAIT_SECONDS:.0f} s",
                        change=f"see {folder / 'packer.log'}; end its packer process with SIGINT",
                    ) from None
                time.sleep(0.5)
        yield lock


def build(folder: Path, variables: Mapping[str, Any], lock: IO[str]) -> Artifact:
    """Run `packer build`; its log goes to stderr, live, and to packer.log in `folder`.

    Args:
        folder: The key's folder, whose lock is held.
        variables: Values of template variables; None means unset.
        lock: The held lock. The supervisor inherits it, so that it is held as long as Packer runs.

    Raises:
        PipelineError: Packer is missing or too old, the template is not valid, the build failed, or it made no image.
    """
    version.require()
    values = folder / "variables.json"
    manifest = folder / "manifest.json"
    output = folder / "packer.log"
    given = {name: value for name, value in variables.items() if value is not None}
    values.write_text(json.dumps({**given, "manifest_path": str(manifest)}))
    manifest.unlink(missing_ok=True)
    output.unlink(missing_ok=True)
    _check(["packer", "init", str(TEMPLATE)], "the Packer plugins cannot be installed")
    status = _supervised(
        ["packer", "build", "-color=false", f"-var-file={values}", str(TEMPLATE)], output=output, lock=lock
    )
    text = output.read_text(errors="replace")
    if status != 0:
        raise _failure(status, text, output)
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
    return {**os.environ, "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1"}


def _supervised(argv: list[str], *, output: Path, lock: IO[str]) -> int:
    options = supervisor.Options(
        log=str(output), watch=supervisor.engine_processes(), grace_seconds=GRACE_SECONDS
    )
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
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        while True:
            try:
                for line in process.stdout:
                    log.show(line.decode(errors="replace").rstrip("\n"))
                return process.wait()
            except KeyboardInterrupt:
                say("interrupted; Packer cleans up")
                process.stdin.close()


def _failure(status: int, text: str, output: Path) -> PipelineError:
    if status == supervisor.INTERRUPTED:
        return PipelineError("the bake was interrupted, and has cleaned up", change="run it again")
    if _STARTED not in text:
        # It looks at the whole template before it does anything, and says what is wrong in its own words.
        return PipelineError(
            "the Packer template is not valid",
            seen=text.strip(),
            change=f"{TEMPLATE}/, or the values given to it",
        )
    known = diagnose(text)
    lines = [line for line in text.splitlines() if line.strip()]
    return PipelineError(
        f"the bake failed: {known.cause}" if known else f"the bake failed (Packer's exit status {status})",
        seen="\n".join(lines[-TAIL_LINES:]),
        change=f"{known.cure}\nthe whole log: {output}" if known else f"the whole log: {output}",
    )
