"""aws:ec2/tag:Tag."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.plugins.aws.base import AwsResource, tag_list, wait_until
from lab.plugins.fields import STRING, Field
from lab.plugins.resource import Call, Values, merged
from lab.plugins.server import PluginError

APPEAR_SECONDS = 300.0


class Tag(AwsResource):
    """One tag of a resource that somebody else made."""

    token: ClassVar[str] = "aws:ec2/tag:Tag"
    fields: ClassVar[dict[str, Field]] = {
        "resourceId": Field(STRING, required=True, replace=True),
        "key": Field(STRING, required=True, replace=True),
        "value": Field(STRING, required=True),
    }

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """CreateTags, which overwrites without a word; tried again while the resource is not found."""
        del call
        api = self.ec2(inputs)

        def created() -> bool:
            try:
                self._put(api, inputs)
            except api.exceptions.ClientError as error:
                if ".NotFound" in error.response["Error"]["Code"]:
                    return False
                raise
            return True

        wait_until(f"{inputs['resourceId']} to be there", created, seconds=APPEAR_SECONDS)
        tag_id = f"{inputs['resourceId']},{inputs['key']}"
        if self.read(tag_id, inputs) is None:
            raise PluginError(f"reading EC2 Tag ({tag_id}): couldn't find resource")
        return tag_id, merged(inputs)

    @staticmethod
    def _put(api: Any, values: Values) -> None:
        api.create_tags(Resources=[values["resourceId"]], Tags=tag_list({values["key"]: values["value"]}))

    def read(self, resource_id: str, state: Values) -> Values | None:
        """DescribeTags by resource and key."""
        resource, _, key = resource_id.partition(",")
        answer = self.ec2(state).describe_tags(
            Filters=[{"Name": "resource-id", "Values": [resource]}, {"Name": "key", "Values": [key]}]
        )
        if not answer["Tags"]:
            return None
        return {**merged(state), "resourceId": resource, "key": key, "value": answer["Tags"][0]["Value"]}

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """One CreateTags with the new value."""
        del resource_id, state, old, call
        self._put(self.ec2(new), new)
        return merged(new)

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """DeleteTags with the state's value: EC2 leaves a tag alone that has another one by now."""
        del resource_id, call
        self.ec2(state).delete_tags(
            Resources=[state["resourceId"]], Tags=tag_list({state["key"]: state["value"]})
        )
