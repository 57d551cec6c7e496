"""One booting machine: an overlay root, systemd-nspawn around it, and a console that is written down."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

from lab import cgroups, network, signals
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.layers import LayerStore
    from lab.seed import Seed

STOP_SECONDS = 30.0
"""How long an orderly shutdown may take before the machine loses its power."""

POWER_OFF = signal.SIGRTMIN + 4
"""What asks systemd for it (systemd(1), SIGNALS), and what nspawn sends for its own SIGTERM (systemd-nspawn(1))."""

POLL_SECONDS = 0.05

REBOOT_STATUS = 133
"""systemd-nspawn's exit status with --keep-unit when the machine asked for a reboot (nspawn.c)."""

CONSOLE_BYTES = 64 * 1024
"""How much of its end GetConsoleOutput returns, as on EC2."""


class Machine:
    """A machine of the lab.

    Args:
        instance_id: The EC2 instance it is.
        folder: Its own folder.
        store: Where the image layers are.
        layers: The image it stands on, bottom first.
        bridge: Network bridge to attach to.
        cgroup: Relative path of its control group.
        on_shutdown: Called with the instance id when the machine powered itself off.
    """

    def __init__(
        self,
        instance_id: str,
        folder: Path,
        *,
        store: LayerStore,
        layers: list[str],
        bridge: str,
        cgroup: str,
        on_shutdown: Callable[[str], None],
    ) -> None:
        self.instance_id = instance_id
        self.folder = folder
        self.layers = layers
        self._store = store
        self._bridge = bridge
        self._cgroup = cgroup
        self._on_shutdown = on_shutdown
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: threading.Thread | None = None
        self._ending = False
        for part in ("upper", "work", "root"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    @property
    def running(self) -> bool:
        """Whether the machine has power."""
        return self._process is not None

    @property
    def _console_file(self) -> Path:
        return self.folder / "console.log"

    def console(self) -> str:
        """The last 64 KiB of what the machine printed."""
        if not self._console_file.exists():
            return ""
        with self._console_file.open("rb") as console:
            console.seek(0, 2)
            console.seek(max(0, console.tell() - CONSOLE_BYTES))
            return console.read().decode(errors="replace")

    def start(self, seed: Seed) -> None:
        """Switch on.

        Raises:
            LabError: The root could not be mounted.
        """
        root = self.folder / "root"
        options = (
            f"lowerdir={self._store.lowerdir(self.layers)},"
            f"upperdir={self.folder / 'upper'},workdir={self.folder / 'work'}"
        )
        done = subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", options, str(root)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise LabError(
                f"cannot mount the root of {self.instance_id}: {done.stderr.strip()}",
                hint=f"{self.folder} must be on a file system that overlayfs can write to (ext4, xfs, btrfs)",
            )
        try:
            seed.write(root)
            self._ending = False
            self._process = self._spawn(seed)
        except BaseException:
            self._unmount()
            raise
        # The watcher outlives a reboot; it ends with the machine.
        self._watch = threading.Thread(
            target=self._watch_over, args=(seed,), name=self.instance_id, daemon=True
        )
        self._watch.start()

    def _spawn(self, seed: Seed) -> subprocess.Popen[bytes]:
        argv = [
            "systemd-nspawn", "--quiet", f"--directory={self.folder / 'root'}", "--boot",
            "--register=no", "--keep-unit", f"--machine={self.instance_id}",
            f"--network-bridge={self._bridge}", "--console=read-only", "--link-journal=no",
            "--resolv-conf=off", "--timezone=off",
        ]  # fmt: skip
        groups = cgroups.create(self._cgroup)
        cgroups.limit_memory(self._cgroup, seed.memory_mib)
        console: BinaryIO
        with self._console_file.open("ab") as console:
            return subprocess.Popen(
                cgroups.enter_and_run(groups, argv),
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def _watch_over(self, seed: Seed) -> None:
        process = self._process
        while process is not None:
            status = process.wait()
            if status == REBOOT_STATUS and not self._ending:
                process = self._process = self._spawn(seed)
                continue
            break
        # A machine outlives an nspawn that is killed.
        while cgroups.kill(self._cgroup):
            time.sleep(POLL_SECONDS)
        network.unplug(self._bridge, self.instance_id, seed.address)
        self._unmount()
        cgroups.remove(self._cgroup)
        self._process = None
        if not self._ending:
            self._on_shutdown(self.instance_id)

    def _unmount(self) -> None:
        subprocess.run(["umount", str(self.folder / "root")], capture_output=True, check=False)

    def stop(self) -> None:
        """Shut down in order; without power after `STOP_SECONDS`."""
        self._ending = True
        deadline = time.monotonic() + STOP_SECONDS
        self._wait_until_heard(POWER_OFF, deadline)
        process, watch = self._process, self._watch
        if process is not None and watch is not None:
            process.terminate()  # nspawn passes it on as POWER_OFF
            watch.join(max(0.0, deadline - time.monotonic()))
        self._cut_power()

    def _cut_power(self) -> None:
        """What runs in the machine ends first, so that nspawn clears up behind it."""
        self._ending = True
        deadline = time.monotonic() + STOP_SECONDS
        while (process := self._process) is not None:
            cgroups.kill(self._cgroup, spare=process.pid if time.monotonic() < deadline else None)
            time.sleep(POLL_SECONDS)
        if self._watch is not None and self._watch is not threading.current_thread():
            self._watch.join()

    def reboot(self) -> None:
        """Ask the machine's systemd to reboot (SIGINT, as Ctrl-Alt-Del would)."""
        self._wait_until_heard(signal.SIGINT, time.monotonic() + STOP_SECONDS)
        leader = self._leader()
        if leader is not None:
            subprocess.run(["kill", "-s", "INT", str(leader)], check=False)

    def _wait_until_heard(self, number: int, deadline: float) -> None:
        """A systemd that has only just been started drops such a request, and would boot on."""
        while self.running and time.monotonic() < deadline:
            leader = self._leader()
            if leader is not None and signals.hears(leader, number):
                return
            time.sleep(POLL_SECONDS)

    def _leader(self) -> int | None:
        """Process id of the machine's own process 1, as seen from here."""
        process = self._process
        if process is None:
            return None
        done = subprocess.run(
            ["ps", "--no-headers", "-o", "pid", "--ppid", str(process.pid)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        children = done.stdout.split()
        return int(children[0]) if children else None

    def freeze(self, image_id: str) -> None:
        """Make the stopped machine's disk the image `image_id`.

        Raises:
            LabError: The machine runs.
        """
        if self.running:
            raise LabError(f"{self.instance_id} is running", hint="stop it before its disk is frozen")
        self.layers = self._store.freeze(image_id, self.layers, self.folder / "upper")
        # overlayfs marks its work folder as belonging to an upper one, so both are new.
        shutil.rmtree(self.folder / "work")
        for part in ("upper", "work"):
            (self.folder / part).mkdir()

    def destroy(self) -> None:
        """Switch off and remove the disk; the console stays readable as long as the object does."""
        self._cut_power()
        shutil.rmtree(self.folder)
