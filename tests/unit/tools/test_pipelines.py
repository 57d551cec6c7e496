"""Both pipelines are what their publishers' schemas allow, and the check of that can fail."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.checks import PIPELINES, PROJECT


def check(argv: tuple[str, ...], file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*argv[:-1], str(file)], cwd=PROJECT, capture_output=True, text=True, check=False)


def load(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((PROJECT / name).read_text())
    return found


@pytest.mark.parametrize("argv", PIPELINES, ids=["gitlab", "github"])
def test_valid_as_it_is_and_refused_when_broken(argv: tuple[str, ...], tmp_path: Path) -> None:
    assert check(argv, PROJECT / argv[-1]).returncode == 0
    broken = tmp_path / "broken.yml"
    for good, bad in (("resource_group: golden-image-dev", "resource_group: [1]"), ("runs-on:", "runs-onn:")):
        text = (PROJECT / argv[-1]).read_text()
        if good in text:
            broken.write_text(text.replace(good, bad))
    done = check(argv, broken)
    assert done.returncode == 1
    assert "Schema validation errors were encountered" in done.stdout


def test_the_same_shape() -> None:
    gitlab, github = load(".gitlab-ci.yml"), load(".github/workflows/golden-image.yml")
    for stack in ("dev", "prod"):
        assert gitlab[stack]["resource_group"] == github["jobs"][stack]["concurrency"]["group"]
        assert github["jobs"][stack]["concurrency"]["cancel-in-progress"] is False
        assert gitlab[stack]["environment"] == github["jobs"][stack]["environment"] == stack
        done = [step.get("run", "") for step in github["jobs"][stack]["steps"]]
        assert f"exec pulumi up --stack {stack} --yes --non-interactive" in done
        assert done[-1] == f"python -m pipeline doctor {stack}"
    assert gitlab[".update"]["interruptible"] is False
    assert gitlab[".update"]["after_script"][-1] == 'python -m pipeline doctor "$STACK"'
    assert gitlab["prod"]["rules"][0]["when"] == "manual"


def test_what_a_validation_found_is_kept_also_when_it_failed() -> None:
    gitlab, github = load(".gitlab-ci.yml"), load(".github/workflows/golden-image.yml")
    kept = gitlab["dev"]["artifacts"]
    assert kept == {"when": "always", "paths": ["reports/"], "reports": {"junit": "reports/*/*/junit.xml"}}
    steps = github["jobs"]["dev"]["steps"]
    (upload,) = [step for step in steps if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert (upload["if"], upload["with"]["path"]) == ("always()", "reports/")
    assert steps.index(upload) > [step.get("run", "").startswith("exec pulumi up") for step in steps].index(
        True
    )


def test_a_fork_gets_no_credentials() -> None:
    gitlab, github = load(".gitlab-ci.yml"), load(".github/workflows/golden-image.yml")
    assert "id_tokens" not in gitlab["lint"] | gitlab["unit"]
    assert gitlab["preview"]["rules"] == [{"if": "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID"}]
    assert "head.repo.full_name == github.repository" in github["jobs"]["preview"]["if"]
    assert "permissions" not in github["jobs"]["check"]
    assert github["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_credentials_last_as_long_as_their_job_may(stack: str) -> None:
    """GitHub's are not renewed: without them Packer cannot end its builder, nor Pulumi save its state."""
    job = load(".github/workflows/golden-image.yml")["jobs"][stack]
    (assumed,) = (step["with"] for step in job["steps"] if "role-to-assume" in step.get("with", {}))
    assert assumed["role-duration-seconds"] >= job["timeout-minutes"] * 60


def test_actions_are_pinned_by_commit() -> None:
    jobs = load(".github/workflows/golden-image.yml")["jobs"].values()
    used = [step["uses"].partition("@")[2] for job in jobs for step in job["steps"] if "uses" in step]
    assert used
    assert all(len(commit) == 40 for commit in used)
