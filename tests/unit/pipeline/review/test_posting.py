"""One note a project and merge request, updated in place, or a reason why not; against a server on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.errors import PipelineError
from pipeline.review import posting
from pipeline.review.github import GitHub
from pipeline.review.gitlab import GitLab
from pipeline.review.note import marker
from tests.unit.pipeline.review.forge_server import TOKEN, Forge, serving

MARKER = marker("golden-image")
NOTE = f"{MARKER}\n## what this change would do\n"


@pytest.fixture(params=["gitlab", "github"])
def forge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    monkeypatch.setattr(posting, "LONGEST_WAIT_SECONDS", 0.01)
    with serving(request.param) as found:
        yield found


def environment(forge: Forge, **changes: str) -> dict[str, str]:
    if forge.kind == "gitlab":
        values = {
            "CI_API_V4_URL": f"{forge.url}/api/v4", "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": TOKEN, "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.test/team/images",
        }  # fmt: skip
    else:
        values = {
            "GITHUB_API_URL": forge.url, "GITHUB_REPOSITORY": "team/images", "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_TOKEN": TOKEN,
        }  # fmt: skip
    return values | changes


def post(forge: Forge, body: str = NOTE, **changes: str) -> str:
    client = GitLab if forge.kind == "gitlab" else GitHub
    return posting.post(client(environment(forge, **changes)), MARKER, body)


def writes(forge: Forge) -> list[str]:
    return [request.split()[0] for request in forge.requests if not request.startswith("GET")]


def test_the_first_time_it_is_made(forge: Forge) -> None:
    forge.fill(2)
    url = post(forge)
    assert [note["body"] for note in forge.notes][2:] == [NOTE]
    assert url.startswith(f"https://{forge.kind}.test/team/images")
    assert url.endswith("1002")


def test_the_next_time_it_is_found_among_several_pages_and_updated_in_place(forge: Forge) -> None:
    forge.fill(150)
    forge.add(f"{marker('other')}\nanother project's")
    forge.add(f"quoting {MARKER}")
    mine = forge.add(f"{MARKER}\nas it was")
    forge.fill(150)
    count = len(forge.notes)
    post(forge)
    assert mine["body"] == NOTE
    assert len(forge.notes) == count
    assert writes(forge) == ["PUT" if forge.kind == "gitlab" else "PATCH"]


def test_one_that_says_the_same_already_is_left_alone(forge: Forge) -> None:
    forge.add(NOTE)
    post(forge)
    assert writes(forge) == []


def test_what_passes_is_waited_for(forge: Forge) -> None:
    forge.faults = [(429, {"Retry-After": "1"}), (502, {}), (429, {})]
    post(forge)
    assert [note["body"] for note in forge.notes] == [NOTE]


def test_a_note_that_was_made_though_the_answer_was_a_fault_is_not_made_twice(forge: Forge) -> None:
    forge.faults, forge.after_write = [(500, {})], True
    post(forge)
    assert [note["body"] for note in forge.notes] == [NOTE]


def test_what_does_not_pass_is_told(forge: Forge) -> None:
    forge.faults = [(503, {})] * 20
    with pytest.raises(PipelineError, match="could not be posted") as caught:
        post(forge)
    assert "503 from GET" in str(caught.value)
    assert len(forge.requests) == posting.ATTEMPTS


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (403, "is not allowed to write here"),
        (404, "the merge request does not exist"),
        (422, "see the answer"),
    ],
)
def test_a_refusal_is_told_at_once(forge: Forge, status: int, cure: str) -> None:
    forge.faults = [(status, {})]
    with pytest.raises(PipelineError) as caught:
        post(forge)
    assert cure in str(caught.value)
    assert len(forge.requests) == 1


def test_a_wrong_token_is_told_and_not_shown(forge: Forge) -> None:
    name = "GITLAB_TOKEN" if forge.kind == "gitlab" else "GITHUB_TOKEN"
    with pytest.raises(PipelineError, match=f"{name} is invalid or has expired") as caught:
        post(forge, **{name: "a-secret-that-is-wrong"})
    assert "a-secret-that-is-wrong" not in str(caught.value)


def test_nobody_answers(forge: Forge) -> None:
    dead = {"CI_API_V4_URL": "http://127.0.0.1:9", "GITHUB_API_URL": "http://127.0.0.1:9"}
    with pytest.raises(PipelineError, match="ConnectError"):
        post(forge, **dead)


def test_outside_of_a_merge_request(forge: Forge) -> None:
    gone = {"CI_MERGE_REQUEST_IID": ""} if forge.kind == "gitlab" else {"GITHUB_REF": "refs/heads/main"}
    with pytest.raises(PipelineError, match="this is not a Git"):
        post(forge, **gone)


def test_the_number_of_a_pull_request_comes_from_its_event(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 12}}))
    values = {
        "GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "team/images", "GITHUB_TOKEN": TOKEN,
        "GITHUB_EVENT_PATH": str(event),
    }  # fmt: skip
    assert GitHub(values).target == "pull request 12 of team/images"


@pytest.mark.parametrize("status", [200, 403])
def test_the_command_prints_it_whatever_comes_of_the_posting(
    forge: Forge,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    status: int,
) -> None:
    for name, value in environment(forge).items():
        monkeypatch.setenv(name, value)
    saved = tmp_path / "preview.json"
    saved.write_text(
        json.dumps({"config": {}, "diagnostics": [{"severity": "error", "message": "error: no image"}]})
    )
    forge.faults = [(403, {})] if status != 200 else []
    done = CliRunner().invoke(app, ["note", "prod", "--preview", f"prod={saved}", "--post", forge.kind])
    assert done.exit_code == 1
    assert "### prod: the preview failed: no image" in done.output
    assert isinstance(done.exception, PipelineError)
    if status == 200:
        assert forge.notes[0]["body"].startswith(MARKER)
        assert "the preview of prod failed" in str(done.exception)
    else:
        assert "is not allowed to write here" in str(done.exception)
