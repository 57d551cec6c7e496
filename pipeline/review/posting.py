"""Posts a note: one a project and merge request, updated in place. What GitLab and GitHub have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tenacity import RetryCallState

ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 60.0
"""Also for what the server asks in ``Retry-After``."""

TIMEOUT_SECONDS = 30.0
TOO_MANY = 429
SERVER_FAULT = 500
PAGES = 100
"""Pages of a hundred notes that are looked through for ours."""


@dataclass(frozen=True)
class Note:
    """A note that is there: its id, its text, and where a person sees it."""

    id: int
    body: str
    url: str


class Forge(Protocol):
    """A place where merge requests are, and their notes."""

    @property
    def target(self) -> str:
        """The merge request in words, such as ``merge request 7 of project 42``."""

    @property
    def token_name(self) -> str:
        """The environment variable that holds the token."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of every request; they hold the token."""

    def notes(self, client: httpx.Client) -> Iterator[Note]:
        """The notes, page by page."""

    def create(self, client: httpx.Client, body: str) -> Note:
        """A new note."""

    def update(self, client: httpx.Client, note: Note, body: str) -> Note:
        """Another text for a note that is there."""


class _Passing(Exception):  # noqa: N818 - no error yet
    """The server may answer otherwise in a while."""

    def __init__(self, seen: str, wait_seconds: float | None = None) -> None:
        super().__init__(seen)
        self.wait_seconds = wait_seconds


def post(forge: Forge, marker: str, body: str) -> str:
    """Create the note, or update the one that begins with the marker.

    The whole is tried again after 429 and 5xx: a note whose creation was answered with a fault may be there, and is
    then found.

    Args:
        forge: Where to.
        marker: What the note of this project begins with.
        body: The note.

    Returns:
        Where a person sees it.

    Raises:
        PipelineError: It could not be posted.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

    trying = Retrying(
        retry=retry_if_exception_type(_Passing), stop=stop_after_attempt(ATTEMPTS), wait=_wait, reraise=True
    )
    try:
        url: str = trying(_upsert, forge, marker, body)
    except _Passing as error:
        raise PipelineError(
            f"the note could not be posted to {forge.target}",
            seen=f"{error}, {ATTEMPTS} times",
            change="run the job again; the text of the note is printed above",
        ) from error
    return url


def _wait(state: RetryCallState) -> float:
    """Seconds: what the server asks for, else 1, 2, 4 and so on."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_seconds if isinstance(error, _Passing) else None
    return min(asked if asked is not None else 2.0 ** (state.attempt_number - 1), LONGEST_WAIT_SECONDS)


def _upsert(forge: Forge, marker: str, body: str) -> str:
    with httpx.Client(
        headers={"User-Agent": "golden-image", **forge.headers},
        timeout=TIMEOUT_SECONDS,
        event_hooks={"response": [lambda response: _insist(forge, response)]},
    ) as client:
        try:
            ours = next((note for note in forge.notes(client) if note.body.startswith(marker)), None)
            if ours is None:
                return forge.create(client, body).url
            return ours.url if ours.body == body else forge.update(client, ours, body).url
        except httpx.TransportError as error:
            raise _Passing(f"{type(error).__name__}: {error}") from error


def _insist(forge: Forge, response: httpx.Response) -> None:
    """Raise on an error response."""
    if response.is_success:
        return
    response.read()
    seen = f"{response.status_code} from {response.request.method} {response.request.url.path}"
    if response.status_code == TOO_MANY or response.status_code >= SERVER_FAULT:
        asked = response.headers.get("Retry-After", "")
        raise _Passing(seen, float(asked) if asked.isdecimal() else None)
    cures = {
        401: f"{forge.token_name} is invalid or has expired",
        403: f"the token in {forge.token_name} is not allowed to write here (GitLab: scope api and role Reporter or "
        "above; GitHub: permission pull-requests: write)",
        404: f"the merge request does not exist, or the token in {forge.token_name} cannot see it",
    }
    raise PipelineError(
        f"the note could not be posted to {forge.target}",
        seen=f"{seen}: {response.text[:200]}",
        change=cures.get(response.status_code, "see the answer"),
    )


def pages(client: httpx.Client, url: str, params: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The pages of a listing, by the Link header (RFC 8288), which both forges send."""
    response = client.get(url, params={**params, "per_page": 100})
    for _ in range(PAGES):
        found: list[dict[str, Any]] = response.json()
        yield found
        following = response.links.get("next", {}).get("url")
        if following is None:
            return
        response = client.get(following)
