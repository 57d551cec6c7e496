"""What of Packer's log is shown while it goes well: a line for each step, and for each task that changed something.

All of it is in a file, and what a failure needs is in the error at the end. Packer marks its own lines as
it does those of a script, so which lines are whose is known by their place: a provisioner's follow its beginning,
and end where Packer goes on.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from pipeline import visible
from pipeline.baking.failedtask import begun_task
from pipeline.baking.livelog import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_PROVISIONER = re.compile(r"^Provisioning with (?P<what>.*?)(?:\.\.\.)?$")
_PACKER = re.compile(
    r"^(?:Stopping (?:the source )?instance|Terminating the source|Cleaning up|Cancelling|Provisioning step had errors"
    r"|Deleting temporary|Creating AMI|Pausing|Step )"
)
"""How Packer's own lines begin after a provisioner's (builder/common of the amazon plugin, packer-plugin-sdk)."""

_NOISE = re.compile(
    r"^(?:Adding tag|Prevalidating|Using SSH communicator|Skipping |Attaching run tags|Modifying|No volumes to clean"
    r"|Running post-processor|Wait completed|Builds finished|--> .*AMIs were created|[a-z-]+-\d: ami-)"
)
_CHANGED = re.compile(r"^changed: ")
_FAILED = re.compile(r"^(?:fatal|failed): ")
_RECAP = re.compile(r"^\S+ +: ok=\d+")


class Brief:
    """Picks the lines that are shown, and puts before each how many seconds the bake has taken so far.

    Args:
        kept: A file that gets all lines, without the secrets as they come; None for none.
        clock: Seconds, as `time.monotonic`.
    """

    def __init__(self, kept: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = kept
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text("", encoding="utf-8")
        self._clock = clock
        self._started = clock()
        self._of_packer = True
        self._ansible = False
        self._failing = False
        self._task = ""

    def __call__(self, lines: Sequence[str]) -> list[str]:
        """The lines to show of those that follow the ones of the call before."""
        if self._kept is not None:
            with self._kept.open("a", encoding="utf-8") as file:
                file.writelines(f"{visible.printable(line)}\n" for line in lines)
        seconds = self._clock() - self._started
        return [
            f"{seconds:4.0f} s  {text}"
            for line in lines
            for text in self._picked(PREFIX.sub("", line).removeprefix("==> ").strip())
        ]

    def _picked(self, text: str) -> Iterator[str]:
        if begun := _PROVISIONER.match(text):
            self._of_packer, self._ansible, self._failing = False, begun["what"] == "Ansible", False
            yield text
        elif not self._of_packer and _PACKER.match(text):
            self._of_packer, self._failing = True, False
            yield text
        elif self._of_packer:
            if text and not _NOISE.match(text):
                yield text
        elif self._ansible:
            yield from self._of_ansible(text)

    def _of_ansible(self, text: str) -> Iterator[str]:
        if (task := begun_task(text)) is not None:
            self._task, self._failing = task, False
        elif _FAILED.match(text):
            self._failing = True
            yield f"TASK [{self._task}] {text}"
        elif _CHANGED.match(text) and self._task:
            yield f"TASK [{self._task}] changed"
            # Once, however many items it has.
            self._task = ""
        elif self._failing and text:
            yield text
        elif _RECAP.match(text):
            yield " ".join(text.split())
