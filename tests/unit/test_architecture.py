"""Each room imports only from those below it: docs/architecture.md has the same order in words."""

import ast
import graphlib
import re
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tools.checks import PROJECT

FLOORS = (
    {"visible", "model", "scaling", "processes", "results", "probes"},
    {"errors", "markdown", "log", "record"},
    {"settings", "aws", "plans"},
    {"net"},
    {"machines"},
    {"scanning"},
    {"promote"},
    {"rollout"},
    {"operate"},
    {"validation"},
    {"baking"},
    {"review", "doctor"},
    {"cli"},
    {"__main__"},
)
"""Rooms and modules of pipeline/, the lowest first. On one floor nothing imports its neighbour."""

PROGRAM = ("components", "pipeline", "packer")


def modules(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    """Dotted name and content of each module."""
    for room in rooms:
        for path in (PROJECT / room).rglob("*.py"):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_no_room_of_the_pipeline_imports_upward() -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for name, tree in modules("pipeline"):
        if name == "pipeline":
            continue
        room = name.split(".")[1]
        for other in imports(tree):
            root, _, rest = other.partition(".")
            below = rest.partition(".")[0]
            if root == "pipeline" and below != room:
                assert floor[below] < floor[room], f"{name} imports {other}"


@pytest.mark.parametrize(
    ("rooms", "unknown"),
    [
        (("pipeline",), {"pulumi", "pulumi_aws", "pulumi_command", "components"}),
        (PROGRAM, {"lab", "tests", "tools", "moto"}),
        (("lab",), {"components"}),
    ],
)
def test_what_a_room_does_not_know(rooms: tuple[str, ...], unknown: set[str]) -> None:
    for name, tree in modules(*rooms):
        known = {other.partition(".")[0] for other in imports(tree)}
        assert not known & unknown, name


def test_one_room_calls_aws() -> None:
    """The doctor tries each action of a policy by its name; all others have a method of the room for what they want."""
    for name, tree in modules("pipeline"):
        if f"{name}.".startswith(("pipeline.aws.", "pipeline.doctor.")):
            continue
        known = set(imports(tree))
        assert not {one for one in known if one.startswith(("botocore", "boto3", "pipeline.aws.client"))}, (
            name
        )
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert "aws.client" not in calls, name


def test_no_circle() -> None:
    trees = dict(modules("pipeline", "components", "lab", "tools"))
    graph: dict[str, set[str]] = defaultdict(set)
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        for other in imports(tree):
            target = other if other in trees else other.rpartition(".")[0]
            if target in trees and target != name:
                graph[name].add(target)
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) > len(trees) / 2


def test_the_page_names_every_room() -> None:
    page = (PROJECT / "docs/architecture.md").read_text()
    for room in sorted(path.parent.name for path in (PROJECT / "pipeline").glob("*/__init__.py")):
        assert f"`pipeline/{room}/`" in page
    assert Path(PROJECT / "CONTRIBUTING.md").is_file()


TESTED_ELSEWHERE = {
    "components/fleet_group": "test_contract.py; test_commands.py pins its step",
    "components/step": "test_commands.py pins what it declares to the byte",
    "lab/__main__": "the command line of all end-to-end tests; test_lab.py",
    "lab/access": "test_permissions.py, and tests/e2e/test_iam.py both ways",
    "lab/account": "test_controlplane.py asks it as AWS is asked",
    "lab/ages": "autoscaling/test_time.py",
    "lab/autoscaling/*": "asked as AWS is: autoscaling/test_refresh.py, test_health.py; tests/e2e/test_autoscaling.py",
    "lab/base_image": "builds a system; tests/e2e/test_lab.py",
    "lab/calls": "read by tests/e2e/test_iam.py",
    "lab/cgroups": "of machines that boot; tests/e2e/test_machines.py",
    "lab/consoles": "autoscaling/test_calls.py",
    "lab/dataplane": "test_controlplane.py",
    "lab/demo": "a show for people; what it shows, tests/e2e/test_life.py and test_roll_out.py test",
    "lab/environment": "what each end-to-end test starts with",
    "lab/errors": "two exceptions",
    "lab/keeper": "processes of machines that boot; tests/e2e/test_lab.py",
    "lab/locks": "locks of killed updates: the end-to-end tests give them back between two stacks",
    "lab/machine": "machines that boot; tests/e2e/test_machines.py",
    "lab/manners/*": "manners/test_small_ones.py, test_choice.py and tests/e2e/test_manners.py",
    "lab/plugins/*": "an engine asks them; all end-to-end tests, tests/e2e/test_channels.py before all",
    "lab/project": "what all end-to-end tests edit",
    "lab/redhat_like": "builds a system; tests/e2e/test_redhat_like.py",
    "lab/requests": "test_controlplane.py asks as clients do",
    "lab/reserved": "tests/e2e/test_lab.py",
    "lab/server": "the process of all end-to-end tests; test_lab.py",
    "lab/workbench": "the harness of the end-to-end tests",
    "pipeline/__main__": "one line; each step and command is started by it",
    "pipeline/aws/causes": "test_clients.py raises the errors",
    "pipeline/aws/channels": "test_account.py, and channels/test_claim.py by the steps",
    "pipeline/aws/images": "test_account.py",
    "pipeline/aws/leftovers": "baking/test_leftovers.py",
    "pipeline/aws/machines": "test_account.py",
    "pipeline/aws/patience": "test_clients.py and test_account.py",
    "pipeline/aws/templates": "test_roll_out.py",
    "pipeline/baking/source": "test_bake.py, doctor/test_image.py",
    "pipeline/cli/*": "test_app.py and test_mutations.py call the commands",
    "pipeline/doctor/*": "the findings of a whole run: test_run.py, test_permissions.py, test_machine.py",
    "pipeline/machines/deadline": "a clock, which the others are tested with",
    "pipeline/model": "the words of all other tests",
    "pipeline/operate/adopt": "test_claim.py: what may be adopted is what a claim refuses",
    "pipeline/probes/*": "sent to a machine: test_oldest_python.py, test_imagescan.py, test_accounts.py",
    "pipeline/promote/pointer": "the steps that use it: test_claim.py, test_held.py",
    "pipeline/promote/promotion": "the steps that use it: test_settle.py, test_held.py",
    "pipeline/promote/refusals": "test_select.py",
    "pipeline/results": "three names and a value",
    "pipeline/review/*": "test_note.py by recorded previews; test_posting.py by a server",
    "pipeline/rollout/going_back": "test_roll_out.py",
    "pipeline/rollout/watch": "test_roll_out.py",
    "pipeline/rollout/words": "test_roll_out.py reads them",
    "pipeline/scaling": "the words of test_decide.py and test_roll_out.py",
    "pipeline/scanning/machinefiles": "test_imagescan.py",
    "pipeline/scanning/secretscan": "test_secrets.py",
    "pipeline/settings/*": "test_load.py and test_stackfile.py read whole files",
    "pipeline/validation/keygen": "test_ssh.py uses the pair as OpenSSH does",
    "pipeline/validation/pytest_plugin": "loaded by another pytest: test_pytest_run.py",
    "pipeline/validation/redaction": "test_report.py",
    "tools/downloads": "test_toolchain.py",
    "tools/gobuild": "test_toolchain.py and test_conditions.py",
    "tools/packages": "test_node.py and test_conditions.py",
    "tools/pinned": "test_toolchain.py",
    "tools/venv": "test_setup.py",
}
"""Modules without a test file of their name, each with what tests them. A folder's `*` is for those that have none."""

SMALL = 8
"""Lines of an ``__init__.py`` that holds nothing but names."""


def untested() -> set[str]:
    """Path without suffix of each module that has no test file where its name would be."""
    found = set()
    for room in ("components", "lab", "pipeline", "tools"):
        for path in (PROJECT / room).rglob("*.py"):
            own = path if path.name != "__init__.py" else path.parent.with_suffix(".py")
            mirror = PROJECT / "tests/unit" / own.relative_to(PROJECT).with_name(f"test_{own.name}")
            if mirror.is_file() or (path.name == "__init__.py" and path.read_text().count("\n") <= SMALL):
                continue
            found.add(path.relative_to(PROJECT).with_suffix("").as_posix())
    return found


def test_every_module_has_its_test_file_or_a_reason() -> None:
    missing = untested()
    excused = {name: [one for one in missing if fnmatchcase(one, name)] for name in TESTED_ELSEWHERE}
    left = sorted(missing - {one for names in excused.values() for one in names})
    assert not left, f"tests/unit/…/test_NAME.py, or a line in TESTED_ELSEWHERE, for: {left}"
    stale = [name for name, names in excused.items() if not names]
    assert not stale, f"they have a test file now, or are gone: take them out of TESTED_ELSEWHERE: {stale}"


def test_what_a_reason_names_is_there() -> None:
    names = {path.name for path in (PROJECT / "tests").rglob("test_*.py")}
    for module, reason in TESTED_ELSEWHERE.items():
        assert set(re.findall(r"test_\w+\.py", reason)) <= names, module
