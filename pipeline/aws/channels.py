"""The channels' pointers, parameters of SSM. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.model import POINTER_ROOT, PointerVersion, pointer_name

if TYPE_CHECKING:
    from pipeline.aws.clients import Session


class Channels:
    """The channels of all roles of one account and region.

    Args:
        session: How AWS is reached.

    Raises:
        PipelineError: From each method: AWS was not reached, or refused.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def image_id(self, role: str, channel: str) -> str | None:
        """The id of the image that a channel holds, or None if it holds none."""
        name = pointer_name(role, channel)
        with self._session.asking(f"read the pointer {name}"):
            ssm = self._session.client("ssm")
            try:
                value: str = ssm.get_parameter(Name=name)["Parameter"]["Value"]
            except ssm.exceptions.ParameterNotFound:
                return None
        return value

    def history(self, role: str, channel: str) -> list[PointerVersion]:
        """What a channel has held, newest first; empty if it never held anything.

        SSM keeps the last 100 versions of a parameter.
        """
        return self.history_of(pointer_name(role, channel))

    def history_of(self, name: str) -> list[PointerVersion]:
        """The same by the parameter's name."""
        with self._session.asking(f"read the history of {name}"):
            return parameter_history(self._session.client("ssm"), name)

    def pointers(self) -> dict[str, str]:
        """What every channel of every role holds: the parameter's name to image id."""
        with self._session.asking("read the pointers of all channels"):
            found = self._session.pages(
                "ssm", "get_parameters_by_path", "Parameters", Path=POINTER_ROOT, Recursive=True
            )
        return {parameter["Name"]: parameter["Value"] for parameter in found}


def parameter_history(ssm: Any, name: str) -> list[PointerVersion]:
    """What a parameter of SSM has held, newest first; empty if there is none. SSM keeps the last 100 versions."""
    try:
        pages = list(ssm.get_paginator("get_parameter_history").paginate(Name=name))
    except ssm.exceptions.ParameterNotFound:
        return []
    versions = [
        PointerVersion(
            version=entry["Version"],
            image_id=entry["Value"],
            when=entry["LastModifiedDate"],
            by=entry.get("LastModifiedUser", ""),
            description=entry.get("Description", ""),
            labels=tuple(entry.get("Labels", ())),
        )
        for page in pages
        for entry in page["Parameters"]
    ]
    return sorted(versions, key=lambda entry: entry.version, reverse=True)
