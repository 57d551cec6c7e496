"""What CONTRIBUTING.md says of where a change goes: the places are there, and three changes are made as it says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from lab.plugins.aws import provider
from lab.plugins.aws.base import TAGS, AwsResource
from lab.plugins.fields import STRING, Field
from lab.plugins.resource import Call
from lab.plugins.server import Plugin
from tools.checks import PROJECT

PAGE = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")][1:]


def places(cell: str) -> Iterator[Path]:
    """The files and folders that a cell names, and the pages that it links to; web and dev stand for all names."""
    for text in [*re.findall(r"`([\w./-]+)`", cell), *re.findall(r"\]\(([\w./-]+)\)", cell)]:
        if "/" in text or text.startswith("Pulumi."):
            yield PROJECT / text.replace("ROLE", "web").replace("STAGE", "dev")


def test_there_are_twelve_changes_each_with_places_and_a_test() -> None:
    assert len(ROWS) == 12
    for change, where, tested in ROWS:
        assert list(places(where)), change
        assert "tests/" in tested, change


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    for path in places(" ".join(row)):
        assert path.exists(), path


def test_what_a_row_names_in_a_file_is_in_that_file() -> None:
    for file, names in {
        "pipeline/operate/retire.py": ("class Limits",),
        "pipeline/promote/history.py": ("def previous_good", "class Entry", "def obstacle"),
        "pipeline/scanning/gitleaks.py": ("def scan", "def recognised"),
    }.items():
        for name in names:
            assert re.search(rf"\b{name}\b", (PROJECT / file).read_text()), (file, name)
            assert name.split()[-1] in PAGE, name


def test_one_module_alone_runs_the_scanner() -> None:
    """The doctor asks it for its version, by its name."""
    starts = re.compile(r"which\(\"gitleaks\"|\[\"gitleaks\"|TOOLS / \"gitleaks\"")
    found = [path for path in (PROJECT / "pipeline").rglob("*.py") if starts.search(path.read_text())]
    assert [path.name for path in found] == ["gitleaks.py"]


class Tree:
    """A copy of the program, to be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        left = shutil.ignore_patterns("go", "__pycache__")
        for part in ("pipeline", "tools", "docs", "packer"):
            shutil.copytree(PROJECT / part, folder / part, ignore=left)

    def insert(self, file: str, text: str, *, before: str) -> None:
        path = self.folder / file
        assert path.read_text().count(before) == 1
        path.write_text(path.read_text().replace(before, text + before))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, *arguments]
        return subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_config_key(tree: Tree) -> None:
    key = '    most_bakes: Annotated[int, Whole(1, 9)] = 3\n    """How many there may be."""\n\n'
    tree.insert("pipeline/settings/schema.py", key, before="    serial: Annotated[")
    assert tree.python("-m", "tools.reference").returncode == 0
    row = "| `golden-image:bake.mostBakes` | a whole number from 1 to 9 | `3` | How many there may be. |"
    assert row in (tree.folder / "docs/configuration.md").read_text()
    schemas = json.loads((tree.folder / "docs/stack-file.schema.json").read_text())
    assert schemas["$defs"]["Bake"]["properties"]["mostBakes"]["maximum"] == 9

    def read(value: int) -> subprocess.CompletedProcess[str]:
        (tree.folder / "Pulumi.dev.yaml").write_text(
            "config:\n  aws:region: eu-west-1\n  golden-image:role: web\n  golden-image:channel: candidate\n"
            f"  golden-image:from: bake\n  golden-image:bake:\n    mostBakes: {value}\n"
        )
        code = "from pathlib import Path; from pipeline.settings import load; "
        return tree.python("-c", f"{code}print(load.read('dev', Path('Pulumi.dev.yaml')).bake.most_bakes)")

    assert read(4).stdout == "4\n"
    assert "golden-image:bake.mostBakes is not valid" in read(44).stderr


def test_a_check_of_the_doctor(tree: Tree) -> None:
    (tree.folder / "pipeline/doctor/moon.py").write_text(
        "from pipeline.doctor.findings import Subject\n\n\n"
        "def check():\n"
        "    yield Subject('moon', 'this machine').warn('full', cause='it is the 14th', cure='wait')\n"
    )
    tree.insert("pipeline/doctor/run.py", "    moon,\n", before="    network,\n")
    line = '        Check(Subject("moon", here), moon.check),\n        '
    tree.insert("pipeline/doctor/run.py", line, before="*(Check(Subject(one.name, here)")
    done = tree.python("-m", "pipeline", "doctor", "--for", "operate", "--json")
    found = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "moon"]
    assert [(one["status"], one["seen"]) for one in found] == [("warn", "full")]


class Queue(AwsResource):
    token: ClassVar[str] = "aws:sqs/queue:Queue"
    fields: ClassVar[dict[str, Field]] = {"name": Field(STRING, replace=True), "tags": TAGS}


def test_a_resource_type_of_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    known = provider.plugin().resources
    assert Queue.token not in known
    more = Plugin(version=provider.VERSION, resources=[*known.values(), Queue()]).resources[Queue.token]
    call = Call("urn:pulumi:dev::golden-image::aws:sqs/queue:Queue::jobs")
    assert not more.check({}, {"name": "jobs"}, call)[1].found
    assert "did you mean 'name'" in str(more.check({}, {"nam": "jobs"}, call)[1].found)
    assert more.diff({"name": "jobs"}, {"name": "work"}).replaces == {"name"}
