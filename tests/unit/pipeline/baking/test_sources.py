"""All that a bake can read, and nothing else."""

from pathlib import Path

from pipeline.baking import sources


def listed(folder: Path, role: str = "web") -> list[str]:
    return [name for name, _ in sources.source_files(folder, role)]


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_every_file_counts_and_droppings_do_not(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "image.pkr.hcl",
        ".hidden",
        "b/.dot/x",
        "x~",
        "a.retry",
        ".DS_Store",
        "__pycache__/a.pyc",
        "b/c.swp",
    )
    assert listed(tmp_path) == [".hidden", "b/.dot/x", "image.pkr.hcl"]


def test_what_a_task_copies_as_it_is_counts_whatever_its_name(tmp_path: Path) -> None:
    fill(tmp_path, "roles/web/files/x~", "roles/web/templates/__pycache__/a.pyc", "roles/web/tasks/main.yml~")
    assert listed(tmp_path) == ["roles/web/files/x~", "roles/web/templates/__pycache__/a.pyc"]


def test_behind_a_link_once(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "a")
    folder = tmp_path / "packer"
    fill(folder, "own")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "circle").symlink_to(folder)
    assert listed(folder) == ["linked/a", "own"]


def test_another_roles_folder_is_left_out(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "roles/db/role.yaml",
        "roles/db/.env",
        "roles/web/role.yaml",
        "roles/webs/role.yaml",
        "roles/README",
    )
    fill(tmp_path, "roles/no-role/tasks/main.yml")
    shared = ["roles/README", "roles/no-role/tasks/main.yml"]
    assert listed(tmp_path, "web") == [*shared, "roles/web/role.yaml"]
    assert listed(tmp_path, "db") == [shared[0], "roles/db/.env", "roles/db/role.yaml", shared[1]]
