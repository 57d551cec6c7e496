"""aws:ec2/launchTemplate:LaunchTemplate."""

from __future__ import annotations

import secrets as random
from typing import Any, ClassVar

from lab.plugins.aws.base import TAGS, AwsResource, code_of, tag_specification
from lab.plugins.aws.instance import METADATA, METADATA_NAMES
from lab.plugins.fields import BOOLEAN, INTEGER, STRING, Block, Failures, Field, ListOf
from lab.plugins.resource import Call, Values, merged
from lab.plugins.server import PluginError

NO_VERSION = frozenset({"tags", "tagsAll", "updateDefaultVersion", "defaultVersion", "region"})
"""Inputs whose change makes no new version."""


class LaunchTemplate(AwsResource):
    """How machines are launched, in numbered versions."""

    token: ClassVar[str] = "aws:ec2/launchTemplate:LaunchTemplate"
    name_field: ClassVar[str | None] = "name"
    prefix_field: ClassVar[str | None] = "namePrefix"
    fields: ClassVar[dict[str, Field]] = {
        "name": Field(STRING, replace=True),
        "namePrefix": Field(STRING, replace=True),
        "description": Field(STRING),
        "imageId": Field(STRING),
        "instanceType": Field(STRING),
        "keyName": Field(STRING),
        "userData": Field(STRING),
        "vpcSecurityGroupIds": Field(ListOf(STRING)),
        "iamInstanceProfile": Field(Block({"name": Field(STRING), "arn": Field(STRING)})),
        "metadataOptions": Field(METADATA),
        "tagSpecifications": Field(ListOf(Block({"resourceType": Field(STRING), "tags": TAGS}))),
        "updateDefaultVersion": Field(BOOLEAN),
        "defaultVersion": Field(INTEGER),
        "tags": TAGS,
    }

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """What excludes each other."""
        for one, other in (("name", "namePrefix"), ("updateDefaultVersion", "defaultVersion")):
            if one in inputs and other in inputs:
                failures.add(one, f"{one!r} conflicts with {other!r}")

    def plan_update(self, state: Values, inputs: Values, changed: frozenset[str]) -> Values:
        """A new version is not numbered yet; a changed description alone shows the old number."""
        outputs = super().plan_update(state, inputs, changed)
        versioned = changed - NO_VERSION
        if versioned - {"description"}:
            outputs.pop("latestVersion", None)
        if inputs.get("updateDefaultVersion") and changed - {"name", "namePrefix", "description"}:
            outputs.pop("defaultVersion", None)
        return outputs

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """CreateLaunchTemplate; the data is version 1."""
        del call
        name = inputs.get("name") or inputs["namePrefix"] + random.token_hex(13)
        answer = self.ec2(inputs).create_launch_template(
            LaunchTemplateName=name,
            VersionDescription=inputs.get("description", ""),
            LaunchTemplateData=_data(inputs),
            TagSpecifications=tag_specification("launch-template", inputs.get("tags")),
        )
        template_id: str = answer["LaunchTemplate"]["LaunchTemplateId"]
        outputs = self.read(template_id, merged(inputs, name=name))
        assert outputs is not None  # it was made a moment ago
        return template_id, outputs

    def read(self, resource_id: str, state: Values) -> Values | None:
        """Attributes of the newest version, not of the default one."""
        api = self.ec2(state)
        try:
            found: dict[str, Any] = api.describe_launch_templates(LaunchTemplateIds=[resource_id])[
                "LaunchTemplates"
            ][0]
        except api.exceptions.ClientError as error:
            if code_of(error).startswith("InvalidLaunchTemplateId."):
                return None
            raise
        newest = api.describe_launch_template_versions(
            LaunchTemplateId=resource_id, Versions=[str(found["LatestVersionNumber"])]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        return {
            **{name: value for name, value in state.items() if name != "userData"},
            **({"userData": newest["UserData"]} if "UserData" in newest else {}),
            "name": found["LaunchTemplateName"],
            "latestVersion": found["LatestVersionNumber"],
            "defaultVersion": found["DefaultVersionNumber"],
            "imageId": newest.get("ImageId", state.get("imageId")),
            "instanceType": newest.get("InstanceType", state.get("instanceType")),
        }

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """A new version with the whole data, if it differs; then the default version; then tags.

        Raises:
            PluginError: The template is gone.
        """
        del call
        api = self.ec2(new)
        if self.diff(old, new).names - NO_VERSION:
            api.create_launch_template_version(
                LaunchTemplateId=resource_id,
                VersionDescription=new.get("description", ""),
                LaunchTemplateData=_data(new),
            )
        default = None
        if new.get("updateDefaultVersion"):
            found = api.describe_launch_templates(LaunchTemplateIds=[resource_id])["LaunchTemplates"][0]
            default = found["LatestVersionNumber"]
        elif old.get("defaultVersion") != new.get("defaultVersion"):
            default = new.get("defaultVersion")
        if default is not None:
            api.modify_launch_template(LaunchTemplateId=resource_id, DefaultVersion=str(default))
        self.change_tags(api, resource_id, old, new)
        outputs = self.read(resource_id, {**state, **merged(new), "name": state["name"]})
        if outputs is None:
            raise PluginError(f"launch template {resource_id} is gone; a refresh will notice")
        return outputs

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """DeleteLaunchTemplate with all versions."""
        del call
        api = self.ec2(state)
        try:
            api.delete_launch_template(LaunchTemplateId=resource_id)
        except api.exceptions.ClientError as error:
            if not code_of(error).startswith("InvalidLaunchTemplateId."):
                raise


def _data(inputs: Values) -> dict[str, Any]:
    """LaunchTemplateData, whole."""
    plain = {
        "imageId": "ImageId",
        "instanceType": "InstanceType",
        "keyName": "KeyName",
        "userData": "UserData",
        "vpcSecurityGroupIds": "SecurityGroupIds",
    }
    data: dict[str, Any] = {wire: inputs[name] for name, wire in plain.items() if inputs.get(name)}
    if inputs.get("iamInstanceProfile"):
        profile = inputs["iamInstanceProfile"]
        data["IamInstanceProfile"] = {key.capitalize(): value for key, value in profile.items()}
    if inputs.get("metadataOptions"):
        options = inputs["metadataOptions"]
        data["MetadataOptions"] = {METADATA_NAMES[name]: value for name, value in options.items()}
    if inputs.get("tagSpecifications"):
        data["TagSpecifications"] = [
            {
                "ResourceType": spec["resourceType"],
                "Tags": [{"Key": key, "Value": value} for key, value in spec["tags"].items()],
            }
            for spec in inputs["tagSpecifications"]
        ]
    return data
