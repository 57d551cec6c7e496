"""aws:ssm/parameter:Parameter."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.plugins.aws.base import TAGS, AwsResource, client, region, tag_list, wait_until
from lab.plugins.fields import BOOLEAN, STRING, Failures, Field
from lab.plugins.resource import Call, Values, merged
from lab.plugins.server import PluginError

APPEAR_SECONDS = 120.0


class Parameter(AwsResource):
    """A value under a path."""

    token: ClassVar[str] = "aws:ssm/parameter:Parameter"
    name_field: ClassVar[str | None] = "name"
    secret_outputs: ClassVar[frozenset[str]] = frozenset({"value"})
    fields: ClassVar[dict[str, Field]] = {
        "name": Field(STRING, replace=True),
        "type": Field(STRING, required=True, allowed=("String", "StringList", "SecureString")),
        "value": Field(STRING),
        "insecureValue": Field(STRING),
        "dataType": Field(STRING, replace=True, allowed=("text", "aws:ec2:image", "aws:ssm:integration")),
        "description": Field(STRING),
        "overwrite": Field(BOOLEAN),
        "tags": TAGS,
    }

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """Exactly one value, and no plain secret."""
        given = [name for name in ("value", "insecureValue") if name in inputs]
        if len(given) != 1:
            failures.add("value", f"exactly one of value, insecureValue must be given, got {given or 'none'}")
        if inputs.get("type") == "SecureString" and "insecureValue" in inputs:
            failures.add("insecureValue", "is not allowed with type SecureString")

    @staticmethod
    def _ssm(values: Values) -> Any:
        return client("ssm", values.get("region") or region())

    @staticmethod
    def _put(api: Any, values: Values, *, overwrite: bool) -> None:
        arguments: dict[str, Any] = {
            "Name": values["name"],
            "Type": values["type"],
            "Value": values.get("value", values.get("insecureValue")),
            "Overwrite": overwrite,
        }
        if values.get("description"):
            arguments["Description"] = values["description"]
        if values.get("dataType"):
            # AWS keeps it at an update; moto would fall back to `text`, so it is sent again.
            arguments["DataType"] = values["dataType"]
        if values.get("tags") and not overwrite:
            arguments["Tags"] = tag_list(values["tags"])
        api.put_parameter(**arguments)

    def plan_update(self, state: Values, inputs: Values, changed: frozenset[str]) -> Values:
        """The number of a new version is not known; with insecureValue the old one shows."""
        outputs = super().plan_update(state, inputs, changed)
        if changed & {"value", "description"}:
            outputs.pop("version", None)
        return outputs

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """PutParameter; without `overwrite` an existing name is an error. Then wait until it is there."""
        del call
        api = self._ssm(inputs)
        overwrite = bool(inputs.get("overwrite", False))
        self._put(api, inputs, overwrite=overwrite)
        if inputs.get("tags") and overwrite:
            api.add_tags_to_resource(
                ResourceType="Parameter", ResourceId=inputs["name"], Tags=tag_list(inputs["tags"])
            )
        outputs: Values | None = None

        def there() -> bool:
            nonlocal outputs
            outputs = self.read(inputs["name"], merged(inputs))
            return outputs is not None

        wait_until(f"SSM Parameter ({inputs['name']})", there, seconds=APPEAR_SECONDS)
        assert outputs is not None  # that is what was waited for
        return inputs["name"], outputs

    def read(self, resource_id: str, state: Values) -> Values | None:
        """GetParameter with decryption; only the field that the program uses is filled."""
        api = self._ssm(state)
        try:
            found: dict[str, Any] = api.get_parameter(Name=resource_id, WithDecryption=True)["Parameter"]
        except api.exceptions.ParameterNotFound:
            return None
        field = "insecureValue" if "insecureValue" in state else "value"
        return {
            **state,
            "name": resource_id,
            field: found["Value"],
            "type": found["Type"],
            "dataType": found.get("DataType", "text"),
            "version": found["Version"],
            "arn": found.get("ARN", ""),
        }

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """One PutParameter, which makes a new version; read back once.

        A parameter that is gone but in the state is made anew by it, and may not be there yet at that one read: only a
        create reads again (terraform-provider-aws, resourceParameterRead). The read then forgets the resource, of which
        the bridge makes an error (pulumi-terraform-bridge, pkg/tfbridge/provider.go, Update).

        Raises:
            PluginError: It is gone.
        """
        api = self._ssm(new)
        names = self.diff(old, new).names
        if names - {"overwrite", "tags", "tagsAll", "region"}:
            self._put(api, new, overwrite=bool(new.get("overwrite", True)))
        before, after = old.get("tags") or {}, new.get("tags") or {}
        if before != after:
            gone = [key for key in before if key not in after]
            if gone:
                api.remove_tags_from_resource(ResourceType="Parameter", ResourceId=resource_id, TagKeys=gone)
            api.add_tags_to_resource(ResourceType="Parameter", ResourceId=resource_id, Tags=tag_list(after))
        outputs = self.read(resource_id, {**state, **merged(new)})
        if outputs is None:
            raise PluginError(
                f"Resource provider reported that the resource did not exist while updating {call.urn}.\n\n"
                "This is usually a result of the resource having been deleted outside of Pulumi, and can often be "
                "fixed by running `pulumi refresh` before updating."
            )
        return outputs

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """DeleteParameter."""
        del call
        api = self._ssm(state)
        try:
            api.delete_parameter(Name=resource_id)
        except api.exceptions.ParameterNotFound:
            return


def get_parameter(arguments: Values) -> Values:
    """aws:ssm/getParameter:getParameter; its results never carry a secret mark.

    Raises:
        PluginError: It does not exist.
    """
    api = client("ssm", arguments.get("region") or region())
    name = arguments["name"]
    try:
        found = api.get_parameter(Name=name, WithDecryption=arguments.get("withDecryption", True))[
            "Parameter"
        ]
    except api.exceptions.ParameterNotFound as error:
        raise PluginError(
            "invoking aws:ssm/getParameter:getParameter: 1 error occurred:\n"
            f"\t* reading SSM Parameter ({name}): couldn't find resource"
        ) from error
    value = {"value": found["Value"]}
    if found["Type"] != "SecureString":
        value["insecureValue"] = found["Value"]
    return {**arguments, **value, "id": name, "type": found["Type"], "version": found["Version"], "arn": ""}
