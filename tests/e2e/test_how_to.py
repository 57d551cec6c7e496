"""docs/how-to/add-a-check.md and add-a-stage.md, followed."""

import json
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.e2e import pages

CHECKS = {
    "test_swap.py::test_there_is_no_swap",
    "test_headers.py::test_the_server_keeps_its_version_to_itself",
}


@pytest.fixture(scope="module")
def dev(bench: Workbench) -> dict[str, Any]:
    assert bench.up("dev").status == 0
    return bench.outputs("dev")


def test_a_check(bench: Workbench, dev: dict[str, Any]) -> None:
    page = "docs/how-to/add-a-check.md"
    assert len(pages.make_files(bench, page)) == len(CHECKS)
    pages.run_commands(bench, page)
    after = bench.outputs("dev")
    assert after["imageId"] == dev["imageId"], "nothing is baked"
    assert after["validated"] != dev["validated"]
    report = json.loads((bench.folder / after["validationReport"]).read_text())
    found = [one for one in report["checks"] if one["check"].removeprefix("after-reboot::") in CHECKS]
    assert {one["outcome"] for one in found} == {"passed"}
    assert len(found) == len(CHECKS) * 2 * 2, "on two machines, before and after a reboot"


def test_a_stage(bench: Workbench, dev: dict[str, Any]) -> None:
    assert bench.up("prod").status == 0
    page = "docs/how-to/add-a-stage.md"
    assert pages.make_files(bench, page) == ["Pulumi.staging.yaml"]
    pages.run_commands(bench, page)
    assert bench.pointer("web", "staging") == bench.pointer("web", "prod") == dev["imageId"]
    assert bench.outputs("prod")["imageFrom"] == "channel staging"
    assert bench.holders("web", "prod") == [dev["imageId"]]
