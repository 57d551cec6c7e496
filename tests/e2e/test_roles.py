"""docs/how-to/add-a-role.md, followed: role db from nothing, by the files of the page; role web stays as it is."""

import json
import socket
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.e2e import pages
from tests.e2e.conftest import MAJORS

PAGE = "docs/how-to/add-a-role.md"
VERSION = f"{MAJORS['roles']}.0.0"
WEB_TASKS = "packer/roles/web/tasks/main.yml"


def triggers(bench: Workbench, stack: str, step: str) -> list[str]:
    """What a step of a stack was run for, as its state has it."""
    done = bench.run("pulumi", "stack", "export", "--stack", stack)
    resources = json.loads(done.output)["deployment"]["resources"]
    (found,) = (one["inputs"]["triggers"] for one in resources if one["urn"].endswith(f"::{step}"))
    return [str(value) for value in found]


@pytest.fixture(scope="module")
def web(bench: Workbench) -> dict[str, Any]:
    """Role web, in the candidate channel."""
    assert bench.up("dev").status == 0
    return bench.outputs("dev")


def test_a_stack_from_before_roles_were_folders_keeps_its_template(
    bench: Workbench, web: dict[str, Any]
) -> None:
    done = bench.run("pulumi", "stack", "export", "--stack", "dev")
    assert "golden-image:index:Fleet" in done.output
    before = done.output.replace("golden-image:index:Fleet", "golden-image:index:WebFleet")
    (bench.folder / "before.json").write_text(before)
    assert bench.run("pulumi", "stack", "import", "--stack", "dev", "--file", "before.json").status == 0
    preview = bench.preview("dev", "--expect-no-changes")
    assert preview.status == 0
    assert bench.up("dev").status == 0
    assert bench.outputs("dev") == web
    assert web["launchTemplateId"] in bench.run("pulumi", "stack", "export", "--stack", "dev").output


def test_a_second_role_is_a_folder_and_two_stack_files(bench: Workbench, web: dict[str, Any]) -> None:
    key, suite = triggers(bench, "dev", "build-bake"), triggers(bench, "dev", "validation-checks")
    made = pages.make_files(bench, PAGE, version=VERSION)
    bench.commit("Role db")
    assert {name.partition("/roles/")[2].partition("/")[0] for name in made if "roles" in name} == {"db"}
    assert sum(name.startswith("Pulumi.") for name in made) == 2

    pages.run_commands(bench, PAGE)
    db = bench.outputs("db-dev")
    assert db["imageName"].startswith("db-base-")
    assert db["imageId"] != web["imageId"]
    report = json.loads((bench.folder / db["validationReport"]).read_text())
    passed = [
        one
        for one in report["checks"]
        if one["check"].removeprefix("after-reboot::").startswith("test_db.py::")
    ]
    assert {one["outcome"] for one in passed} == {"passed"}
    assert len(passed) == 2 * 2 * 2, "two checks on two machines, before and after a reboot"
    assert not [one for one in report["checks"] if "health" in one["check"] or "test_web" in one["check"]]
    assert bench.pointer("db", "candidate") == bench.pointer("db", "prod") == db["imageId"]
    assert bench.pointer("web", "candidate") == web["imageId"]

    prod = bench.outputs("db-prod")
    machine = bench.launch(prod["launchTemplateId"], str(prod["launchTemplateVersion"]))
    machine.wait_for(6379)
    with socket.create_connection((machine.address, 6379), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(7) == b"-DENIED"
    machine.terminate()

    assert triggers(bench, "dev", "build-bake") == key
    assert bench.preview("dev", "--expect-no-changes").status == 0, "web is as it was"
    assert triggers(bench, "dev", "validation-checks") == suite


def test_what_changes_of_one_role_is_nothing_to_the_other(bench: Workbench, web: dict[str, Any]) -> None:
    bench.edit(WEB_TASKS, r"\Z", "# a change of role web\n")
    assert bench.preview("db-dev", "--expect-no-changes").status == 0
    preview = bench.preview("dev")
    assert preview.status == 0
    assert "roles/web/tasks/main.yml" in preview.output


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"stack": ("golden-image:role: db", "golden-image:role: dbb")}, ["did you mean db?", "db, web"]),
        ({"role": ("ports:", "port:")}, ["port is not a known key (did you mean ports?)"]),
        ({"role": ("6379", '"6379"')}, ["ports.redis is not valid", "a whole number from 1 to 65535"]),
    ],
    ids=["misspelt role", "misspelt key", "wrong type"],
)
def test_a_mistake_is_one_error_in_the_preview(
    bench: Workbench, change: dict[str, tuple[str, str]], errors: list[str]
) -> None:
    files = {"stack": bench.stack_file("db-dev"), "role": bench.folder / "packer/roles/db/role.yaml"}
    for name, (old, new) in change.items():
        text = files[name].read_text()
        assert old in text
        files[name].write_text(text.replace(old, new))
        preview = bench.preview("db-dev")
        files[name].write_text(text)
        assert preview.status != 0
        for error in errors:
            assert error in preview.output
        assert "Traceback" not in preview.output
