"""The commands that the components declare, as the engine gets them, to the byte.

A byte more in a plan, another trigger or a changed environment runs the steps of every stack once more at the next
update. Who wants that notes it in CHANGELOG.md, and records anew with GOLDEN_UPDATE=1.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import settings as runtime_settings

from components.fleet_group import FleetGroup
from components.image_build import ImageBuild
from components.image_promotion import ImagePromotion
from components.image_validation import ImageValidation
from tests.unit.components.making import IMAGE, Notes
from tests.unit.components.test_contract import ARGUMENTS, Monitor
from tests.unit.pipeline.making import standing

RECORDED = Path(__file__).with_name("commands.json")

FEWER = {
    "allowed_skips": None, "health_port": None, "smoke_test": None, "source": None,
    "standing": standing(("ami-9", "golden-image.prod.1")),
}  # fmt: skip

NEEDED = {
    ImageBuild: ("ingredients", "region", "access", "timeout_minutes", "environment"),
    ImageValidation: (
        "role", "ports", "health_port", "image_id", "suite", "clones", "place", "region", "timeout_seconds",
        "smoke_test", "allowed_skips", "environment",
    ),
    ImagePromotion: (
        "role", "channel", "source", "image_id", "standing", "word", "region", "environment",
    ),
    FleetGroup: (
        "role", "channel", "source", "stack", "keys", "image_id", "label", "when", "launch_template_id",
        "launch_template_version", "region", "environment",
    ),
}  # fmt: skip

COMPARED = (
    "object", "dependencies", "propertyDependencies", "additionalSecretOutputs", "ignoreChanges", "replaceOnChanges",
)  # fmt: skip
"""What of a resource is this program's: the rest is the SDK's, and where in the program the resource is declared."""


class Unfinished(Notes):
    """Answers as an engine does in the preview of a new stack: what a command will print is not known."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        made, outputs = super().new_resource(args)
        outputs.pop("stdout", None)
        return made, outputs


def commands(arguments: dict[str, Any], image: Any, *, preview: bool) -> dict[str, Any]:
    """What the engine gets of each command, by name."""
    found: dict[str, Any] = {}
    for kind, names in NEEDED.items():
        notes = Unfinished() if preview else Notes()
        monitor = Monitor(notes)
        pulumi.runtime.set_mocks(notes, monitor=monitor, preview=preview)

        def declare(kind: Any = kind, names: tuple[str, ...] = names) -> None:
            kind("it", **{**{name: arguments[name] for name in names}, **_given(kind, image)})

        pulumi.runtime.test(declare)()  # type: ignore[no-untyped-call]
        for request in monitor.declared.values():
            if request.type == "command:local:Command":
                shown = MessageToDict(request)
                found[request.name] = {key: _sorted(shown[key]) for key in COMPARED if key in shown}
    return found


def _given(kind: Any, image: Any) -> dict[str, Any]:
    return {} if kind is ImageBuild or image is None else {"image_id": image()}


def _sorted(value: Any) -> Any:
    """Sets come as lists of any order."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return sorted(value)
    if isinstance(value, dict):
        return {key: _sorted(one) for key, one in value.items()}
    return value


def _not_known_yet() -> pulumi.Output[str]:
    async def future(value: Any) -> Any:
        return value

    return pulumi.Output(future(set()), future(None), future(False))


@pytest.fixture(autouse=True)
def _no_engine() -> Iterator[None]:
    yield
    runtime_settings.reset_options()


def test_they_are_as_recorded() -> None:
    made = {
        "all settings": commands(ARGUMENTS, None, preview=False),
        "few settings": commands({**ARGUMENTS, **FEWER}, None, preview=False),
        "a preview": commands(ARGUMENTS, None, preview=True),
        "a preview of an image to come": commands(ARGUMENTS, _not_known_yet, preview=True),
    }
    text = json.dumps(made, indent=1, sort_keys=True) + "\n"
    if os.environ.get("GOLDEN_UPDATE"):
        RECORDED.write_text(text)
    assert text == RECORDED.read_text()
    assert IMAGE in text
