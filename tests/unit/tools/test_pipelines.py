"""Both pipelines are what their publishers' schemas allow, and the check of that can fail."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.checks import PIPELINES, PROJECT

BROKEN = {
    ".gitlab-ci.yml": ("resource_group: golden-image-dev", "resource_group: [1]"),
    ".github/workflows/golden-image.yml": ("runs-on:", "runs-onn:"),
    ".github/workflows/stage.yml": ("timeout-minutes: 120", "timeout-minutes: [120]"),
    ".github/workflows/retire.yml": ("cron:", "crown:"),
    ".github/actions/set-up/action.yml": ("using: composite", "using: nothing"),
    "renovate.json": ('"enabledManagers": [', '"enabledManagers": [1, '),
}
GITHUB = sorted(path for path in BROKEN if path.startswith(".github/"))


def check(argv: tuple[str, ...], file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*argv[:-1], str(file)], cwd=PROJECT, capture_output=True, text=True, check=False)


def load(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((PROJECT / name).read_text())
    return found


def steps(name: str) -> list[dict[str, Any]]:
    """All steps of a workflow, or of an action."""
    found = load(name)
    jobs = found["jobs"].values() if "jobs" in found else [found["runs"]]
    return [step for job in jobs for step in job.get("steps", [])]


@pytest.mark.parametrize("argv", PIPELINES, ids=lambda argv: argv[-1])
def test_valid_as_it_is_and_refused_when_broken(argv: tuple[str, ...], tmp_path: Path) -> None:
    assert check(argv, PROJECT / argv[-1]).returncode == 0
    good, bad = BROKEN[argv[-1]]
    text = (PROJECT / argv[-1]).read_text()
    assert good in text
    broken = tmp_path / f"broken{Path(argv[-1]).suffix}"
    broken.write_text(text.replace(good, bad))
    done = check(argv, broken)
    assert done.returncode == 1
    assert "Schema validation errors were encountered" in done.stdout


def test_every_pipeline_is_checked() -> None:
    files = {str(path.relative_to(PROJECT)) for path in (PROJECT / ".github").rglob("*.yml")}
    assert files | {".gitlab-ci.yml", "renovate.json"} == {argv[-1] for argv in PIPELINES}


def test_the_same_shape() -> None:
    gitlab, github = load(".gitlab-ci.yml"), load(".github/workflows/golden-image.yml")["jobs"]
    update = load(".github/workflows/stage.yml")["jobs"]["update"]
    for stack in ("dev", "prod"):
        assert github[stack]["uses"] == "./.github/workflows/stage.yml"
        assert github[stack]["with"]["stack"] == gitlab[stack]["environment"] == stack
        assert gitlab[stack]["extends"] == ".update"
        group = update["concurrency"]["group"].replace("${{ inputs.stack }}", stack)
        assert group == gitlab[stack]["resource_group"]
    assert update["environment"] == "${{ inputs.stack }}"
    assert update["concurrency"]["cancel-in-progress"] is False
    assert gitlab[".update"]["interruptible"] is False
    assert gitlab["prod"]["rules"][0]["when"] == "manual"
    assert github["prod"]["needs"] == "dev"
    commands = [step.get("run", "") for step in update["steps"]]
    done = [command for command in commands if command]
    assert done[1] == f"exec {gitlab['.update']['script'][2]}"
    assert done[-1] == gitlab[".update"]["after_script"][-1] == 'python -m pipeline doctor "$STACK"'
    assert gitlab["e2e"]["script"] == ["make test"]
    assert steps(".github/workflows/golden-image.yml")[5]["run"].endswith(" make test")


def test_old_images_are_removed_by_a_schedule_that_does_nothing_else() -> None:
    gitlab, github = load(".gitlab-ci.yml"), load(".github/workflows/retire.yml")
    assert steps(".github/workflows/retire.yml")[-1]["run"] == gitlab["retire"]["script"][-1]
    assert gitlab["retire"]["script"][-1] == "python -m pipeline retire --yes"
    # `on` is true in YAML 1.1.
    assert set(github[True]) == {"schedule", "workflow_dispatch"}
    jobs = {name: job for name, job in gitlab.items() if isinstance(job, dict) and "script" in job}
    resolved = {
        name: job.get("rules") or gitlab[job["extends"]]["rules"]
        for name, job in jobs.items()
        if not name.startswith(".")
    }
    of_schedules = {name for name, rules in resolved.items() if 'SOURCE == "schedule"' in rules[0]["if"]}
    assert of_schedules == {"retire"}
    for name in set(resolved) - {"retire"}:
        condition = resolved[name][0]["if"]
        assert 'SOURCE != "schedule"' in condition or "CI_MERGE_REQUEST_SOURCE_PROJECT_ID" in condition, name


def test_a_stage_is_six_lines() -> None:
    text = (PROJECT / ".github/workflows/golden-image.yml").read_text()
    assert len(text.partition("\n  prod:\n")[2].splitlines()) <= 6


def test_what_a_validation_found_is_kept_also_when_it_failed() -> None:
    kept = load(".gitlab-ci.yml")["dev"]["artifacts"]
    assert kept == {"when": "always", "paths": ["reports/"], "reports": {"junit": "reports/*/*/junit.xml"}}
    update = steps(".github/workflows/stage.yml")
    (upload,) = [step for step in update if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert (upload["if"], upload["with"]["path"]) == ("always()", "reports/")
    ran = [step.get("run", "").startswith("exec pulumi up") for step in update]
    assert update.index(upload) > ran.index(True)


def test_a_fork_gets_no_credentials() -> None:
    gitlab, github = load(".gitlab-ci.yml"), load(".github/workflows/golden-image.yml")
    assert "id_tokens" not in gitlab["lint"] | gitlab["unit"] | gitlab[".check"] | gitlab["e2e"]
    assert gitlab["preview"]["rules"] == [{"if": "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID"}]
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in gitlab["e2e"]["rules"][0]["if"], (
        "a fork's code does not run as root on a runner of ours"
    )
    assert "head.repo.full_name == github.repository" in github["jobs"]["preview"]["if"]
    for job in ("check", "e2e"):
        assert "permissions" not in github["jobs"][job]
        assert "secrets" not in str(github["jobs"][job])
    for name in GITHUB:
        if "/workflows/" in name:
            assert load(name)["permissions"] == {"contents": "read"}


def test_credentials_last_as_long_as_their_job_may() -> None:
    """GitHub's are not renewed: without them Packer cannot end its builder, nor Pulumi save its state."""
    for name in ("stage", "retire"):
        (job,) = load(f".github/workflows/{name}.yml")["jobs"].values()
        (asked,) = (step["with"] for step in job["steps"] if step.get("uses") == "./.github/actions/set-up")
        default = load(".github/actions/set-up/action.yml")["inputs"]["seconds"]["default"]
        assert int(asked.get("seconds", default)) >= job["timeout-minutes"] * 60
    (assumed,) = (
        step["with"]
        for step in steps(".github/actions/set-up/action.yml")
        if "role-to-assume" in step.get("with", {})
    )
    assert assumed["role-duration-seconds"] == "${{ inputs.seconds }}"


@pytest.mark.parametrize("name", GITHUB)
def test_actions_are_pinned_by_commit(name: str) -> None:
    used = [step["uses"] for step in steps(name) if "uses" in step]
    assert used
    assert all(one.startswith("./") or len(one.partition("@")[2]) == 40 for one in used)


@pytest.mark.parametrize("name", GITHUB)
def test_no_input_becomes_part_of_a_script(name: str) -> None:
    assert [step["run"] for step in steps(name) if "inputs." in step.get("run", "")] == []
