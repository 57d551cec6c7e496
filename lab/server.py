"""The lab's process: runs alone in namespaces of its own, so that nothing of it can outlive it.

Started by `lab.keeper` as process 1 of a PID namespace and with a mount namespace of its own: when it
ends, however that happens, the kernel ends every machine and drops every mount.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from lab import keeper, network, switches
from lab import settings as lab_settings
from lab.errors import LabError

if TYPE_CHECKING:
    from types import FrameType

    from lab.settings import LabSettings

log = logging.getLogger("lab")

READY = b"ready\n"


def serve(settings: LabSettings, keeper_pipe: int, ready_pipe: int) -> None:
    """Answer API calls until the keeper's end of `keeper_pipe` closes or SIGTERM comes.

    Args:
        settings: The lab.
        keeper_pipe: Read end of a pipe that the keeper holds open as long as it lives.
        ready_pipe: Write end; gets `READY` once calls are answered.

    Raises:
        LabError: The lab cannot start.
    """
    held = keeper.parts(settings)
    held.take(keeper.Part.SERVER)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # systemd-nspawn keeps its run-time files under /run; the host's is not touched.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    os.environ |= {
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        "MOTO_ENABLE_AMI_VALIDATION": "true",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    }

    # Imported late: moto takes seconds, and reads its environment when it is imported.
    from werkzeug.serving import make_server

    from lab import account, base_image
    from lab.controlplane import ControlPlane
    from lab.layers import LayerStore

    state = settings.state_dir / "account.state"
    store = LayerStore.open(settings.layers_dir, base_image.ensure())
    if state.exists():
        account.load(state)
    else:
        account.prepare(settings, store)
    control = ControlPlane(settings, store, save=lambda: account.save(state))
    control.machines.clear()
    control.machines.reconcile()
    control.save()
    control.groups.resume()
    server = make_server("127.0.0.1", settings.port, control, threaded=True)

    def end(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=_end_with, args=(keeper_pipe,), daemon=True).start()
    held.take(keeper.Part.ANSWERS)
    os.write(ready_pipe, READY)
    os.close(ready_pipe)
    log.info("the lab answers on %s", settings.endpoint)
    server.serve_forever()
    held.release(keeper.Part.ANSWERS)
    control.finish()
    control.machines.power_off()
    control.save()
    # The keeper does this too; but the keeper may be why this process ends.
    network.down(settings)
    if network.is_last(settings):
        switches.put_back(settings)
    log.info("the lab has ended")


def _end_with(keeper_pipe: int) -> None:
    os.read(keeper_pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    try:
        serve(lab_settings.load(), int(sys.argv[1]), int(sys.argv[2]))
    except LabError as error:
        sys.exit(f"error: {error}")
