"""The suite's digest: other checks, and other exceptions from the search for secrets, judge an image anew."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.validation import suite
from pipeline.validation.suite import suite_digest


@pytest.fixture
def template(tmp_path: Path) -> Path:
    checks = tmp_path / "packer" / "checks"
    checks.mkdir(parents=True)
    (checks / "test_boot.py").write_text("def test_boot(): ...\n")
    (checks.parent / "secrets-allowed.yaml").write_text("[]\n")
    return checks.parent


def digest(template: Path) -> str:
    return suite_digest(template, "web")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "checks/test_boot.py").write_text("def test_other(): ...\n"),
        lambda folder: (folder / "checks/test_boot.py").rename(folder / "checks/test_start.py"),
        lambda folder: (folder / "checks/helper.py").write_text(""),
        lambda folder: (folder / "secrets-allowed.yaml").write_text("- file: etc/a\n"),
        lambda folder: (folder / "secrets-allowed.yaml").unlink(),
    ],
    ids=["content", "renamed", "new file", "another exception", "no exceptions"],
)
def test_changed_by(change: Callable[[Path], object], template: Path) -> None:
    before = digest(template)
    change(template)
    assert digest(template) != before


@pytest.mark.parametrize("name", ["checks/__pycache__/test_boot.pyc", "checks/.hidden", "image.pkr.hcl"])
def test_not_changed_by(name: str, template: Path) -> None:
    before = digest(template)
    (template / name).parent.mkdir(exist_ok=True)
    (template / name).write_text("something else")
    assert digest(template) == before


def test_a_role_without_a_check_of_its_own(template: Path) -> None:
    suite.refuse_untested(template, "db", "/usr/bin/true")
    with pytest.raises(PipelineError, match="role db has no check of its own") as caught:
        suite.refuse_untested(template, "db", None)
    assert "packer/roles/db/checks/test_db.py" in str(caught.value)
    (template / "roles/db/checks").mkdir(parents=True)
    (template / "roles/db/checks/test_db.py").write_text("def test_db(host): ...\n")
    suite.refuse_untested(template, "db", None)


def test_two_files_of_one_name(template: Path) -> None:
    (template / "roles/web/checks").mkdir(parents=True)
    (template / "roles/web/checks/test_boot.py").write_text("def test_boot(host): ...\n")
    with pytest.raises(PipelineError, match=r"two files of checks are called test_boot\.py") as caught:
        digest(template)
    assert "packer/roles/web/checks/test_boot.py" in (caught.value.change or "")


def test_no_checks(template: Path) -> None:
    (template / "checks/test_boot.py").unlink()
    with pytest.raises(PipelineError, match="there are no checks"):
        digest(template)
