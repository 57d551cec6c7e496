"""Each room imports only from those below it: docs/architecture.md has the same order in words."""

import ast
import graphlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.checks import PROJECT

FLOORS = (
    {"visible", "model", "processes"},
    {"errors", "markdown", "log", "record"},
    {"settings", "aws", "plans", "secretscan"},
    {"gitleaks", "net"},
    {"channels"},
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
