"""Versions of launch templates. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.aws.clients import Service
from pipeline.model import TAG_CHANNEL, TAG_ROLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.scaling import Version


class Templates(Service):
    """The launch templates of one account and region."""

    def data(self, version: Version) -> Mapping[str, Any] | None:
        """What a version launches, in EC2's words (ResponseLaunchTemplateData), or None if it does not exist."""
        with self._session.asking(
            f"look up version {version.number} of the launch template {version.template}"
        ):
            found = versions(self._ec2, LaunchTemplateId=version.template, Versions=[version.number])
        return next((one["LaunchTemplateData"] for one in found), None)

    def image(self, version: Version) -> str | None:
        """The image that a version launches, or None if it names none or does not exist."""
        found = (self.data(version) or {}).get("ImageId")
        return str(found) if found else None

    def of_channel(self, role: str, channel: str) -> list[str]:
        """IDs of the templates of a channel, by their tags: one, but for the time in which a stack replaces it."""
        tags = {TAG_ROLE: role, TAG_CHANNEL: channel}
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        with self._session.asking(f"look up the launch template of channel {channel}"):
            found = self._session.pages(
                "ec2", "describe_launch_templates", "LaunchTemplates", Filters=filters
            )
        return [one["LaunchTemplateId"] for one in found]

    def default(self, template: str) -> int | None:
        """The number of a template's default version, or None if it does not exist."""
        from botocore.exceptions import ClientError

        with self._session.asking(f"look up the launch template {template}"):
            try:
                answer = self._ec2.describe_launch_templates(LaunchTemplateIds=[template])
            except ClientError as error:
                if not error.response["Error"]["Code"].startswith("InvalidLaunchTemplate"):
                    raise
                return None
        return next((int(found["DefaultVersionNumber"]) for found in answer["LaunchTemplates"]), None)

    def set_default(self, version: Version) -> None:
        """Make a version the default one of its template."""
        with self._session.asking(f"make version {version.number} the default one of {version.template}"):
            self._ec2.modify_launch_template(LaunchTemplateId=version.template, DefaultVersion=version.number)

    @property
    def _ec2(self) -> Any:
        return self._session.client("ec2")


def versions(ec2: Any, **wanted: Any) -> list[dict[str, Any]]:
    """The launch template versions that a call describes; none if the template or the version does not exist.

    Args:
        ec2: A client of EC2.
        wanted: Arguments of DescribeLaunchTemplateVersions.
    """
    from botocore.exceptions import ClientError

    try:
        answer = ec2.describe_launch_template_versions(**wanted)
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidLaunchTemplate"):
            raise
        return []
    found: list[dict[str, Any]] = answer["LaunchTemplateVersions"]
    return found
