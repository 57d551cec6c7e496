"""command:local:Command, as the official plugin 1.2.1 runs it."""

from __future__ import annotations

import os
import secrets as random
import subprocess
import threading
from typing import IO, ClassVar

from lab.plugins.fields import ANY, BOOLEAN, STRING, Field, ListOf, MapOf
from lab.plugins.resource import Call, Resource, Values, merged
from lab.plugins.server import Engine, Plugin, PluginError, serve

VERSION = "1.2.1"
SHELL = ["/bin/sh", "-c"]
LONGEST_LINE = 64 * 1024
"""A shown stream with a longer line is read no further (bufio.MaxScanTokenSize; pulumi-command, util.LogOutput)."""
SHOWN = {
    "stdout": {"stdout"},
    "stderr": {"stderr"},
    "stdoutAndStderr": {"stdout", "stderr"},
    "none": set[str](),
}


class Processes:
    """The commands that run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def add(self, process: subprocess.Popen[bytes]) -> None:
        """Note one that was started."""
        with self._lock:
            self._running.add(process)

    def discard(self, process: subprocess.Popen[bytes]) -> None:
        """Forget one that has ended."""
        with self._lock:
            self._running.discard(process)

    def kill(self) -> None:
        """What Cancel does: SIGKILL to each direct child, and to nothing else."""
        with self._lock:
            for process in self._running:
                process.kill()


class LocalCommand(Resource):
    """A command that runs where the engine runs."""

    token: ClassVar[str] = "command:local:Command"
    fields: ClassVar[dict[str, Field]] = {
        "create": Field(STRING),
        "update": Field(STRING),
        "delete": Field(STRING),
        "triggers": Field(ListOf(ANY), replace=True),
        "environment": Field(MapOf(STRING)),
        "dir": Field(STRING),
        "interpreter": Field(ListOf(STRING)),
        "stdin": Field(STRING),
        "logging": Field(STRING, allowed=tuple(SHOWN)),
        "addPreviousOutputInEnv": Field(BOOLEAN),
    }

    def __init__(self, engine: Engine, processes: Processes) -> None:
        self._engine = engine
        self._processes = processes

    def plan_create(self, inputs: Values) -> Values:
        """Runs nothing; stdout and stderr are not known yet."""
        return merged(inputs)

    def plan_update(self, state: Values, inputs: Values, changed: frozenset[str]) -> Values:
        """The old output shows as known if inputs were only added (a trap of the official plugin)."""
        outputs = {**merged(inputs), "stdout": state.get("stdout", ""), "stderr": state.get("stderr", "")}
        if any(name in state for name in changed):
            del outputs["stdout"], outputs["stderr"]
        return outputs

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """Run `create`, if there is one."""
        out, err = self._run(inputs.get("create"), inputs, call, previous=None)
        return f"{call.name}{random.token_hex(4)}", merged(inputs, stdout=out, stderr=err)

    def read(self, resource_id: str, state: Values) -> Values | None:
        """The state as it is: nothing runs."""
        del resource_id
        return state

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """Run `update`, or `create` again where there is no `update`."""
        del resource_id, old
        command = new.get("update") or new.get("create")
        if command is None:
            return merged(new, stdout=state.get("stdout", ""), stderr=state.get("stderr", ""))
        out, err = self._run(command, new, call, previous=state)
        return merged(new, stdout=out, stderr=err)

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """Run `delete` of the last successful state, if there is one."""
        del resource_id
        self._run(state.get("delete"), state, call, previous=state)

    def _run(
        self, command: str | None, inputs: Values, call: Call, *, previous: Values | None
    ) -> tuple[str, str]:
        if not command:
            return "", ""
        argv = [*inputs.get("interpreter", SHELL), command]
        environment = {**os.environ, **inputs.get("environment", {})}
        if previous is not None and inputs.get("addPreviousOutputInEnv", True):
            for stream in ("stdout", "stderr"):
                if previous.get(stream):
                    environment[f"PULUMI_COMMAND_{stream.upper()}"] = previous[stream]
        text = inputs.get("stdin")
        try:
            process = subprocess.Popen(
                argv,
                cwd=inputs.get("dir"),
                env=environment,
                stdin=subprocess.PIPE if text else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise PluginError(f"{error.strerror}: running {quoted(command)}") from error
        self._processes.add(process)
        try:
            return self._watch(process, command, text, inputs.get("logging", "stdoutAndStderr"), call.urn)
        finally:
            self._processes.discard(process)

    def _watch(
        self, process: subprocess.Popen[bytes], command: str, text: str | None, logging: str, urn: str
    ) -> tuple[str, str]:
        together: list[bytes] = []
        apart: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        threads = [
            threading.Thread(
                target=self._read,
                args=(stream, apart[name], together, urn if name in SHOWN[logging] else None),
                daemon=True,  # one that waits for ever does not keep the plugin alive
            )
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        if text:
            threads.append(threading.Thread(target=_feed, args=(process.stdin, text.encode())))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status = process.wait()
        if status != 0:
            how = f"exit status {status}" if status > 0 else f"signal: {-status}"
            output = b"".join(together).decode(errors="replace")
            raise PluginError(f"{how}: running {quoted(command)}:\n{output}")
        out, err = (
            b"".join(apart[name]).decode(errors="replace").removesuffix("\n") for name in ("stdout", "stderr")
        )
        return out, err

    def _read(
        self, stream: IO[bytes] | None, lines: list[bytes], together: list[bytes], urn: str | None
    ) -> None:
        assert stream is not None  # a pipe was asked for
        with stream:
            while line := stream.readline(LONGEST_LINE if urn is not None else -1):
                lines.append(line)
                together.append(line)
                if urn is None:
                    continue
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    # The official plugin's reader has given up; its pipe fills, and the command waits for ever.
                    threading.Event().wait()
                self._engine.status(urn, line.decode(errors="replace").rstrip("\n"))


def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    assert stream is not None  # a pipe was asked for
    try:
        with stream:
            stream.write(data)
    except BrokenPipeError:
        pass  # the command has read what it wanted


def quoted(command: str) -> str:
    """The command as the official plugin names it in errors."""
    return '"' + command.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main() -> None:
    """Run the plugin."""
    processes = Processes()
    serve(
        lambda engine: Plugin(
            version=VERSION, resources=[LocalCommand(engine, processes)], cancel=processes.kill
        )
    )
