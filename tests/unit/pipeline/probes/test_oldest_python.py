"""What is handed to a machine's own Python, which may be as old as 3.6."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.machines import onmachine

PROGRAMS = sorted(path.stem for path in onmachine.FOLDER.glob("*.py") if "__main__" in path.read_text())


def oldest() -> str:
    """The oldest Python of this machine that starts."""
    for minor in range(6, sys.version_info.minor):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return sys.executable


def modules(name: str) -> list[str]:
    """The texts that a program brings."""
    boot = ast.parse(onmachine.program(name))
    texts = [node.value for node in ast.walk(boot) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and "\n" in text]


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_that_python_3_6_does_not_take(name: str) -> None:
    for text in modules(name):
        tree = ast.parse(text, feature_version=(3, 6))
        for node in ast.walk(tree):
            assert not isinstance(node, ast.AnnAssign)
            assert not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
            assert getattr(node, "annotation", None) is None
            assert getattr(node, "returns", None) is None


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_left_is_the_program_as_it_is(name: str) -> None:
    (*_, main) = modules(name)
    here = ast.parse((onmachine.FOLDER / f"{name}.py").read_text())
    for node in ast.walk(here):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    here.body = [
        one for one in here.body if not (isinstance(one, ast.ImportFrom) and one.module == "__future__")
    ]
    assert ast.dump(_plain(here)) == ast.dump(_plain(ast.parse(main)))


def _plain(tree: ast.Module) -> ast.Module:
    class Plain(ast.NodeTransformer):
        def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
            assert node.value is not None, "Python 3.6 would look the annotation up"
            return ast.Assign(targets=[node.target], value=self.visit(node.value))

    return Plain().visit(tree)  # type: ignore[no-any-return]


def test_what_a_module_needs_comes_before_it() -> None:
    assert onmachine._with_needs("collector") == ["archives", "disk", "collector"]
    assert onmachine._with_needs("identity") == ["disk", "identity"]


def test_they_run_with_the_oldest_python_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    for name in PROGRAMS:
        done = subprocess.run(
            [oldest(), "-I", "-"], input=onmachine.program(name), capture_output=True, check=False,
            env={"PATH": os.environ["PATH"], "ROOT": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        if name == "accounts":
            assert json.loads(done.stdout)["accounts"][0]["name"] == "root"
