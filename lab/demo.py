"""`make demo`: the whole life of an image on this machine, with the real tools.

Exit status: 0 all steps did what they should · 1 one did not, or the demo's lab is in use · 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from lab import reserved
from lab.errors import LabError
from lab.workbench import Run, Workbench, lab_of
from pipeline.processes import hear

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


INTERRUPTED = 130
"""Exit status after an interruption, as a shell reports SIGINT."""

ROLE = "web"
HEALTH = r"^(\s*return) 200 (\"ok|'ok)"


@dataclass
class Row:
    """One line of the closing table."""

    step: str
    seconds: float = 0.0
    image: str = ""
    template: str = ""
    served: str = ""


@dataclass
class Demo:
    """The steps, and what came of them."""

    bench: Workbench
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[Row]:
        """Announce a step, time it, and keep its row."""
        print(f"\n=== {len(self.rows) + 1}. {title}", flush=True)
        row = Row(title)
        started = time.monotonic()
        yield row
        row.seconds = time.monotonic() - started
        self.rows.append(row)

    def dev_up(self, row: Row) -> None:
        """Bake, validate, and put the image into channel candidate."""
        must(self.bench.up("dev"), "pulumi up of dev")
        row.image = str(self.bench.pointer(ROLE, "candidate"))

    def prod_up(self, row: Row, version: str) -> None:
        """Update prod, and see what a machine launched from its template serves."""
        must(self.bench.up("prod"), "pulumi up of prod")
        self.served(row, version)

    def served(self, row: Row, version: str) -> None:
        """Launch a machine from prod's template; it must serve `version`."""
        outputs = self.bench.outputs("prod")
        template, number = outputs["launchTemplateId"], str(outputs["launchTemplateVersion"])
        row.image = str(self.bench.pointer(ROLE, "prod"))
        row.template = f"{template} v{number}"
        machine = self.bench.launch(template, number)
        try:
            page = machine.version()
        finally:
            machine.terminate()
        row.served = f"{page['version']} (build {page['build'][:8]})"
        print(f"  {machine.instance_id} at {machine.address} serves version {page['version']}")
        if page["version"] != version:
            raise LabError(
                f"a machine launched from prod's template serves {page['version']}",
                hint=f"{version} was expected",
            )
        holders = self.bench.holders(ROLE, "prod")
        if holders != [row.image]:
            raise LabError(f"Role=web, ImageChannel=prod is on {holders}", hint=f"it must be on {row.image}")


def must(run: Run, what: str, *, fail: bool = False) -> Run:
    """Insist on success (or, with `fail`, on failure)."""
    if (run.status != 0) != fail:
        raise LabError(f"{what} ended with status {run.status}", hint="its output is above")
    return run


def story(demo: Demo) -> None:
    """All steps."""
    bench = demo.bench
    with demo.step("dev: bake web 1.0.0, boot it, check it, make it the candidate") as row:
        demo.dev_up(row)
    with demo.step("prod: promote it, feed the launch template, launch a machine") as row:
        demo.prod_up(row, "1.0.0")

    with demo.step("dev: the same for web 1.1.0, one changed line in the stack file") as row:
        bench.set_version("1.1.0")
        demo.dev_up(row)
    with demo.step("prod: the preview that a reviewer sees, then the update") as row:
        must(bench.preview("prod"), "pulumi preview of prod")
        demo.prod_up(row, "1.1.0")

    with demo.step("dev: web 1.2.0, whose /health is broken, stops at validation") as row:
        bench.edit("packer/roles/web/templates/site.conf.j2", HEALTH, r"\1 500 \2")
        bench.set_version("1.2.0")
        must(bench.up("dev"), "pulumi up of dev with a broken image", fail=True)
        row.served = "refused, as it must be"
        row.image = str(bench.pointer(ROLE, "candidate"))
    with demo.step("prod: goes on serving 1.1.0") as row:
        demo.served(row, "1.1.0")

    with demo.step("prod: roll back by one line of stack config") as row:
        stack_file = str(bench.stack_file("prod").relative_to(bench.folder))
        must(
            bench.run("python", "-m", "pipeline", "rollback", "prod", "--config-file", stack_file),
            "rollback",
        )
        bench.commit("Roll prod back")
        demo.prod_up(row, "1.0.0")


def show(rows: list[Row]) -> None:
    """The closing table."""
    table = Table(title="The life of an image", title_justify="left")
    for name in ("step", "seconds", "image", "launch template", "the machine served"):
        table.add_column(name, justify="right" if name == "seconds" else "left", overflow="fold")
    for number, row in enumerate(rows, 1):
        table.add_row(f"{number}. {row.step}", f"{row.seconds:.1f}", row.image, row.template, row.served)
    table.add_section()
    table.add_row("all", f"{sum(row.seconds for row in rows):.1f}", "", "", "")
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def _interrupted(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> int:
    """Run the demo in a lab of its own, which is gone afterwards."""
    hear(signal.SIGINT, signal.SIGTERM)
    settings = lab_of("demo")
    signal.signal(signal.SIGTERM, _interrupted)
    rows: list[Row] = []
    try:
        print("starting a lab of the demo's own: EC2 on this machine", flush=True)
        with reserved.own(settings, wait=False):
            status = _tell(Demo(Workbench(settings, settings.state_dir / "project", echo=True), rows))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    if rows:
        show(rows)
    print("the lab is gone: no process, mount, bridge, nftables table or control group of it is left")
    return status


def _tell(demo: Demo) -> int:
    """All steps, and the exit status that they come to."""
    try:
        story(demo)
        status = 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("interrupted: clearing up", file=sys.stderr)
        status = INTERRUPTED
    print(flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
