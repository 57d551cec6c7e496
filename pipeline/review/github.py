"""Comments of a GitHub pull request. Source: GitHub's REST API, "Issue comments" (a pull request is an issue)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.review.posting import Note, pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

TOKEN = "GITHUB_TOKEN"  # the variable's name
_VARIABLES = ("GITHUB_API_URL", "GITHUB_REPOSITORY", TOKEN)


class GitHub:
    """One pull request.

    Args:
        environment: ``GITHUB_API_URL``, ``GITHUB_REPOSITORY``, and ``GITHUB_EVENT_PATH`` or ``GITHUB_REF`` (GitHub
            sets them), and ``GITHUB_TOKEN``, the job's token with permission ``pull-requests: write``.

    Raises:
        PipelineError: One is missing, or the event is not about a pull request.
    """

    token_name = TOKEN

    def __init__(self, environment: Mapping[str, str]) -> None:
        missing = [name for name in _VARIABLES if not environment.get(name)]
        number = _number(environment)
        if missing or number is None:
            raise PipelineError(
                "this is not a GitHub workflow of a pull request, or it has no token",
                seen=f"without {', '.join([*missing, *([] if number else ['a pull request in the event'])])}",
                allowed=", ".join(_VARIABLES),
                change=f"on: pull_request; env: {TOKEN}: ${{{{ github.token }}}}",
            )
        repository = environment["GITHUB_REPOSITORY"]
        self.target = f"pull request {number} of {repository}"
        self.headers = {
            "Authorization": f"Bearer {environment[TOKEN]}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        base = environment["GITHUB_API_URL"].rstrip("/")
        self._issues = f"{base}/repos/{repository}/issues"
        self._comments = f"{self._issues}/{number}/comments"

    def notes(self, client: httpx.Client) -> Iterator[Note]:
        """The comments, oldest first."""
        for page in pages(client, self._comments, {}):
            yield from map(_note, page)

    def create(self, client: httpx.Client, body: str) -> Note:
        """A new comment."""
        return _note(client.post(self._comments, json={"body": body}).json())

    def update(self, client: httpx.Client, note: Note, body: str) -> Note:
        """Another text for a comment that is there."""
        return _note(client.patch(f"{self._issues}/comments/{note.id}", json={"body": body}).json())


def _note(entry: Mapping[str, Any]) -> Note:
    return Note(entry["id"], entry.get("body") or "", entry.get("html_url") or f"comment {entry['id']}")


def _number(environment: Mapping[str, str]) -> int | None:
    """The pull request's number: from the event, or from the ref ``refs/pull/7/merge``."""
    path = environment.get("GITHUB_EVENT_PATH")
    if path and Path(path).is_file():
        event = json.loads(Path(path).read_text(encoding="utf-8"))
        number = event.get("pull_request", {}).get("number")
        if isinstance(number, int):
            return number
    found = re.fullmatch(r"refs/pull/(\d+)/.*", environment.get("GITHUB_REF", ""))
    return int(found[1]) if found else None
