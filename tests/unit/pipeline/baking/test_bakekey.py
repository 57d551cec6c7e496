"""The key changes when, and only when, the image would."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.baking.bakekey import ingredients
from pipeline.validation.suite import suite_digest


def bake_key(folder: Path, *, role: str = "web", **values: Any) -> str:
    return ingredients(folder, role=role, **values).key


VARIABLES = 'variable "image_version" {\n  type = string\n}\n\nvariable "ssh_username" {\n}\n'
ACCESS = 'variable "region" {\n}\n\nvariable "subnet_id" {\n}\n'


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "packer"
    (folder / "ansible/files").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (folder / "ansible/shared").symlink_to("../../shared")
    (folder / "ansible/itself").symlink_to(".")
    (folder / "checks").mkdir()
    (folder / "variables.pkr.hcl").write_text(VARIABLES)
    (folder / "access.pkr.hcl").write_text(ACCESS)
    (folder / "ansible/image.yml").write_text("- hosts: all\n")
    (folder / "checks/test_boot.py").write_text("")
    (folder / "clean.sh").write_text("#!/bin/sh\n")
    return folder


def key(folder: Path) -> str:
    return bake_key(folder, content={"image_version": "1"}, serial=1)


def test_the_same_content_elsewhere_has_the_same_key(template: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(template, other, symlinks=True)
    assert key(template) == key(other)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "ansible/image.yml").write_text("- hosts: none\n"),
        lambda folder: (folder / "ansible/new.yml").write_text(""),
        lambda folder: (folder / "ansible/image.yml").rename(folder / "ansible/renamed.yml"),
        lambda folder: (folder / "clean.sh").chmod(0o755),
        lambda folder: (folder / "clean.sh").unlink(),
        lambda folder: (folder / "ansible/.vault").write_text("x"),
        lambda folder: (folder / "ansible/files/site.conf~").write_text("x"),
        lambda folder: (folder.parent / "shared/tasks.yml").write_text("x"),
    ],
    ids=[
        "content",
        "new file",
        "renamed",
        "made executable",
        "removed",
        "a file with a dot",
        "a file that a role may copy",
        "a linked role",
    ],
)
def test_changed_by(change: Callable[[Path], object], template: Path) -> None:
    before = key(template)
    change(template)
    assert key(template) != before


@pytest.mark.parametrize(
    "name",
    [
        "checks/test_boot.py",
        "secrets-allowed.yaml",
        "access.pkr.hcl",
        "manifest.json",
        "ansible/x.yml~",
        "a.pyc",
    ],
)
def test_not_changed_by(name: str, template: Path) -> None:
    before = key(template)
    (template / name).write_text("something else")
    assert key(template) == before


def role_file(template: Path, role: str, name: str, text: str) -> None:
    path = template / "roles" / role / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def two_roles(template: Path) -> Path:
    for role in ("web", "db"):
        role_file(template, role, "role.yaml", "ports: {}\n")
        role_file(template, role, "tasks/main.yml", f"- name: {role}\n")
        role_file(template, role, f"checks/test_{role}.py", f"def test_{role}(host): ...\n")
    return template


@pytest.mark.parametrize(
    "name", ["tasks/main.yml", "files/.env", "handlers/main.yml", "checks/test_web.py", "role.yaml"]
)
def test_files_of_one_role_are_nothing_to_another(two_roles: Path, name: str) -> None:
    def state(role: str) -> tuple[str, str]:
        return bake_key(two_roles, role=role, content={}, serial=1), suite_digest(two_roles, role)

    db, web = state("db"), state("web")
    role_file(two_roles, "web", name, "something else\n")
    assert state("db") == db
    judged = name.startswith("checks/") or name == "role.yaml"
    same_key, same_suite = (before == after for before, after in zip(web, state("web"), strict=True))
    assert (same_key, same_suite) == (judged, not judged)


def test_what_roles_share_counts_for_each(two_roles: Path) -> None:
    def keys() -> tuple[str, ...]:
        return tuple(bake_key(two_roles, role=role, content={}, serial=1) for role in ("web", "db"))

    for name in ("ansible/roles/shared/tasks/main.yml", "roles/shared/tasks/main.yml"):
        before = keys()
        (two_roles / name).parent.mkdir(parents=True)
        (two_roles / name).write_text("- name: shared\n")
        assert not set(keys()) & set(before), f"{name} has no role.yaml above it: it is no other role's"
    before = keys()
    (two_roles / "roles/db/files").symlink_to("../web/tasks")
    role_file(two_roles, "web", "tasks/main.yml", "- name: changed\n")
    assert not set(keys()) & set(before), "db reads web's file by its link"


def test_a_new_role_changes_no_other(two_roles: Path) -> None:
    before = bake_key(two_roles, content={}, serial=1), suite_digest(two_roles, "web")
    role_file(two_roles, "cache", "role.yaml", "ports: {}\n")
    role_file(two_roles, "cache", "tasks/main.yml", "- name: cache\n")
    role_file(two_roles, "cache", "checks/test_cache.py", "")
    assert before == (bake_key(two_roles, content={}, serial=1), suite_digest(two_roles, "web"))


def test_values_serial_and_source_image_count(template: Path) -> None:
    keys = {
        bake_key(template, content={}, serial=1),
        bake_key(template, content={"image_version": "1"}, serial=1),
        bake_key(template, content={"image_version": "2"}, serial=1),
        bake_key(template, content={}, serial=2),
        bake_key(template, content={}, serial=1, source_image="ami-1"),
        bake_key(template, content={}, serial=1, source_image="ami-2"),
    }
    assert len(keys) == 6


def test_order_of_values_does_not_count(template: Path) -> None:
    assert bake_key(template, content={"a": 1, "b": [2]}, serial=1) == bake_key(
        template, content={"b": [2], "a": 1}, serial=1
    )


def test_importing_it_costs_neither_pulumi_nor_boto3() -> None:
    code = "import sys, json, pipeline.baking.bakekey; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pulumi", "boto3", "botocore"} & set(json.loads(done.stdout))
