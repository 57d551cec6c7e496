"""What the gate takes of an ordinary image, against its limits in seconds.

Nobody can switch the scan for secrets off, so there is nothing to compare it with: its time is the one that the machine
says. That is its processors', for how long the scan takes depends on what else this machine does, as the report says.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from lab.errors import LabError
from tests import ordinary
from tests.e2e.forge import Forge
from tests.measuring import ROUNDS, Comparison, Lab, must

if TYPE_CHECKING:
    from lab.workbench import Run

DEV = "lab/stacks/Pulumi.dev.yaml"
SCAN_SECONDS = 10.0
VALIDATION_SECONDS = 60.0


def gate(bench: Lab) -> list[Comparison]:
    """The gate on an ordinary image, with the soak and the reboot that are the default, less the two boots."""
    must(bench.run(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview")))
    parent = str(bench.pointer("web", "candidate"))
    text = bench.stack_file("dev").read_text()
    bench.edit(DEV, r"^ +soakSeconds: .*\n", "")
    bench.edit(DEV, r"^( +)timeoutSeconds: .*", r"\1timeoutSeconds: 600")
    bench.set_version("7.0.0")
    folder = bench.folder.parent / "ordinary"
    folder.mkdir()
    Forge(bench, folder).image(parent, ordinary.SCRIPT, packed=ordinary.pack(folder))
    scan = Comparison("scan for secrets", "one machine's processors", "limit", aim=1)
    whole = Comparison("validation of an ordinary image", "less two boots", "limit", aim=1)
    for comparison, limit in ((scan, SCAN_SECONDS), (whole, VALIDATION_SECONDS)):
        comparison.theirs_seconds.append(limit)
    for _ in range(ROUNDS[bench.pace]):
        must(bench.run(*bench.pulumi_argv("destroy", "dev", "--yes", "--skip-preview")))
        run = bench.run(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview"))
        must(run)
        total, boots = _told(run, r"([0-9.]+) s after the first port answered")[0], _boots(run)
        whole.ours_seconds.append(total - boots)
        whole.note = f"{total:.1f} s from the first port to the verdict, {boots:.1f} s of it in the two boots"
        scan.ours_seconds.append(_told(run, r"of which the machine worked ([0-9.]+) s")[0])
        files, owned = (_told(run, pattern)[0] for pattern in (r"(\d+) files;", r"; (\d+) are as a package"))
        scan.note = (
            f"{files:.0f} files, of which {owned:.0f} are as a package brought them; {_scan(bench):.1f} s by the "
            f"clock, with {os.cpu_count()} processors for all machines and a load of {os.getloadavg()[0]:.1f}"
        )
    bench.stack_file("dev").write_text(text)
    return [scan, whole]


def _boots(run: Run) -> float:
    """Seconds of the validation in which machines were still booting, the first time and the second."""
    ports, ends = (
        _told(run, r"port 22 answers after ([0-9.]+) s"),
        _told(run, r": boot finished after ([0-9.]+) s"),
    )
    return max(ends) - min(ports) + max(_told(run, r"its second boot finished after ([0-9.]+) s"))


def _told(run: Run, pattern: str) -> list[float]:
    """Numbers that an update has printed.

    Raises:
        LabError: There is none.
    """
    found = [float(number) for number in re.findall(pattern, run.output)]
    if not found:
        raise LabError(f"the validation did not tell {pattern!r}", hint=run.output[-2000:])
    return found


def _scan(bench: Lab) -> float:
    report = json.loads((bench.folder / bench.outputs("dev")["validationReport"]).read_text())
    (seconds,) = {check["seconds"] for check in report["checks"] if check["check"] == "secrets::file-system"}
    return float(seconds)
