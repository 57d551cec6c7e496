"""Notes of a GitLab merge request. Source: GitLab's REST API, "Notes API", merge requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeline.errors import PipelineError
from pipeline.review.posting import Note, pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

TOKEN = "GITLAB_TOKEN"  # the variable's name
_VARIABLES = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_MERGE_REQUEST_IID", TOKEN)


class GitLab:
    """One merge request.

    Args:
        environment: ``CI_API_V4_URL``, ``CI_PROJECT_ID``, ``CI_MERGE_REQUEST_IID`` (GitLab sets them in a merge
            request's pipeline) and ``GITLAB_TOKEN``, a project access token with scope ``api``: the job's own token
            may not write notes.

    Raises:
        PipelineError: One is missing.
    """

    token_name = TOKEN

    def __init__(self, environment: Mapping[str, str]) -> None:
        missing = [name for name in _VARIABLES if not environment.get(name)]
        if missing:
            raise PipelineError(
                "this is not a GitLab merge request pipeline, or it has no token",
                seen=f"without {', '.join(missing)}",
                allowed=", ".join(_VARIABLES),
                change=f"rules: if: $CI_PIPELINE_SOURCE == 'merge_request_event'; {TOKEN} as a masked CI/CD variable",
            )
        project, number = environment["CI_PROJECT_ID"], environment["CI_MERGE_REQUEST_IID"]
        self.target = f"merge request {number} of project {project}"
        self.headers = {"PRIVATE-TOKEN": environment[TOKEN]}
        base = environment["CI_API_V4_URL"].rstrip("/")
        self._notes = f"{base}/projects/{quote(project, safe='')}/merge_requests/{quote(number)}/notes"
        self._seen_at = environment.get("CI_MERGE_REQUEST_PROJECT_URL", "")
        self._number = number

    def notes(self, client: httpx.Client) -> Iterator[Note]:
        """The notes, oldest first; system notes are none of ours."""
        for page in pages(client, self._notes, {"sort": "asc", "order_by": "created_at"}):
            yield from (self._note(entry) for entry in page if not entry.get("system"))

    def create(self, client: httpx.Client, body: str) -> Note:
        """A new note."""
        return self._note(client.post(self._notes, json={"body": body}).json())

    def update(self, client: httpx.Client, note: Note, body: str) -> Note:
        """Another text for a note that is there."""
        return self._note(client.put(f"{self._notes}/{note.id}", json={"body": body}).json())

    def _note(self, entry: Mapping[str, Any]) -> Note:
        seen_at = (
            f"{self._seen_at}/-/merge_requests/{self._number}#note_{entry['id']}" if self._seen_at else ""
        )
        return Note(entry["id"], entry["body"], seen_at or f"note {entry['id']}")
