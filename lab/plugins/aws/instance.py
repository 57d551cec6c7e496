"""aws:ec2/instance:Instance, and aws:ec2transitgateway/instanceState:InstanceState."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.plugins.aws.base import TAGS, AwsResource, code_of, tag_map, tag_specification, wait_until
from lab.plugins.fields import BOOLEAN, INTEGER, STRING, Block, Failures, Field, ListOf
from lab.plugins.resource import Call, Change, InitError, Values, merged
from lab.plugins.server import PluginError

CREATE_SECONDS = 600.0
DELETE_SECONDS = 1200.0

METADATA = Block(
    {
        "httpEndpoint": Field(STRING, allowed=("enabled", "disabled")),
        "httpTokens": Field(STRING, allowed=("optional", "required")),
        "httpPutResponseHopLimit": Field(INTEGER),
        "instanceMetadataTags": Field(STRING, allowed=("enabled", "disabled")),
    }
)
METADATA_NAMES = {
    "httpEndpoint": "HttpEndpoint",
    "httpTokens": "HttpTokens",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "instanceMetadataTags": "InstanceMetadataTags",
}


def describe(api: Any, instance_id: str) -> dict[str, Any] | None:
    """One instance as EC2 describes it; None if it does not exist (terminated ones are still described)."""
    try:
        reservations = api.describe_instances(InstanceIds=[instance_id])["Reservations"]
    except api.exceptions.ClientError as error:
        if code_of(error) == "InvalidInstanceID.NotFound":
            return None
        raise
    found: dict[str, Any] | None = reservations[0]["Instances"][0] if reservations else None
    return found


class Instance(AwsResource):
    """A machine."""

    token: ClassVar[str] = "aws:ec2/instance:Instance"
    fields: ClassVar[dict[str, Field]] = {
        "ami": Field(STRING, required=True, replace=True),
        "instanceType": Field(STRING, required=True),
        "subnetId": Field(STRING, replace=True),
        "vpcSecurityGroupIds": Field(ListOf(STRING)),
        "keyName": Field(STRING, replace=True),
        "privateIp": Field(STRING, replace=True),
        "associatePublicIpAddress": Field(BOOLEAN, replace=True),
        "userData": Field(STRING),
        "userDataReplaceOnChange": Field(BOOLEAN, default=False),
        "instanceInitiatedShutdownBehavior": Field(STRING, allowed=("stop", "terminate")),
        "iamInstanceProfile": Field(STRING),
        "metadataOptions": Field(METADATA),
        "rootBlockDevice": Field(Block({"encrypted": Field(BOOLEAN)}), replace=True),
        "sourceDestCheck": Field(BOOLEAN, default=True),
        "forceDestroy": Field(BOOLEAN, default=False),
        "tags": TAGS,
        "volumeTags": TAGS,
    }

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """The lab has no source/destination check to switch off."""
        if inputs.get("sourceDestCheck") is False:
            failures.add("sourceDestCheck", "the lab's stand-in does not implement false")

    def diff(self, old: Values, new: Values) -> Change:
        """Changed user data replaces only if the program says so."""
        change = super().diff(old, new)
        if "userData" in change.names and new.get("userDataReplaceOnChange"):
            return Change(change.names, change.replaces | {"userData"}, change.delete_first)
        return change

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """RunInstances, then wait until it runs.

        Raises:
            InitError: It did not come to run; it is kept in the state all the same.
        """
        del call
        api = self.ec2(inputs)
        instance_id: str = api.run_instances(**_launch(inputs))["Instances"][0]["InstanceId"]
        state = ""

        def settled() -> bool:
            nonlocal state
            found = describe(api, instance_id)
            state = found["State"]["Name"] if found else "pending"
            return state != "pending"

        wait_until(f"{instance_id} to run", settled, seconds=CREATE_SECONDS)
        if state != "running":
            found = describe(api, instance_id) or {}
            reason = found.get("StateReason", {}).get("Message", "no reason given")
            raise InitError(
                instance_id,
                merged(inputs, instanceState=state),
                f"waiting for EC2 Instance ({instance_id}) create: unexpected state '{state}', wanted target "
                f"'running'. last error: {reason}",
            )
        if "instanceInitiatedShutdownBehavior" in inputs:
            api.modify_instance_attribute(
                InstanceId=instance_id,
                InstanceInitiatedShutdownBehavior={"Value": inputs["instanceInitiatedShutdownBehavior"]},
            )
        outputs = self.read(instance_id, merged(inputs))
        if outputs is None:
            raise InitError(instance_id, merged(inputs), f"{instance_id} ended right after its start")
        return instance_id, outputs

    def read(self, resource_id: str, state: Values) -> Values | None:
        """DescribeInstances; terminated is gone, stopped is not."""
        found = describe(self.ec2(state), resource_id)
        if found is None or found["State"]["Name"] == "terminated":
            return None
        return {
            **state,
            "ami": found["ImageId"],
            "instanceType": found["InstanceType"],
            "instanceState": found["State"]["Name"],
            "privateIp": found.get("PrivateIpAddress"),
            "publicIp": found.get("PublicIpAddress", ""),
            "privateDns": found.get("PrivateDnsName", ""),
            "publicDns": found.get("PublicDnsName", ""),
            "availabilityZone": found["Placement"]["AvailabilityZone"],
            "subnetId": found.get("SubnetId"),
            "tags": tag_map(found.get("Tags")) or state.get("tags"),
        }

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """In place: type and user data with a stop and a start; groups, options and tags without.

        Raises:
            PluginError: The lab cannot change this in place.
        """
        del call
        api = self.ec2(new)
        changed = self.diff(old, new).names
        unable = changed & {"iamInstanceProfile", "volumeTags"}
        if unable:
            raise PluginError(f"the lab's stand-in cannot change {', '.join(sorted(unable))} in place")
        for name in ("instanceType", "userData"):
            if name in changed:
                api.stop_instances(InstanceIds=[resource_id])
                api.get_waiter("instance_stopped").wait(InstanceIds=[resource_id])
                value = new.get(name, "")
                attribute = value if name == "instanceType" else value.encode()
                key = "InstanceType" if name == "instanceType" else "UserData"
                api.modify_instance_attribute(InstanceId=resource_id, **{key: {"Value": attribute}})
                api.start_instances(InstanceIds=[resource_id])
                api.get_waiter("instance_running").wait(InstanceIds=[resource_id])
        if "vpcSecurityGroupIds" in changed:
            api.modify_instance_attribute(InstanceId=resource_id, Groups=new["vpcSecurityGroupIds"])
        if "instanceInitiatedShutdownBehavior" in changed and "instanceInitiatedShutdownBehavior" in new:
            api.modify_instance_attribute(
                InstanceId=resource_id,
                InstanceInitiatedShutdownBehavior={"Value": new["instanceInitiatedShutdownBehavior"]},
            )
        if "metadataOptions" in changed:
            api.modify_instance_metadata_options(InstanceId=resource_id, **_metadata(new["metadataOptions"]))
        self.change_tags(api, resource_id, old, new)
        outputs = self.read(resource_id, {**state, **merged(new)})
        if outputs is None:
            raise PluginError(f"{resource_id} is gone; a refresh will notice")
        return outputs

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """TerminateInstances, and wait for it."""
        del call
        api = self.ec2(state)
        try:
            api.terminate_instances(InstanceIds=[resource_id])
        except api.exceptions.ClientError as error:
            if code_of(error) == "InvalidInstanceID.NotFound":
                return
            raise

        def gone() -> bool:
            found = describe(api, resource_id)
            return found is None or found["State"]["Name"] == "terminated"

        wait_until(f"{resource_id} to be terminated", gone, seconds=DELETE_SECONDS)


def _launch(inputs: Values) -> dict[str, Any]:
    """Arguments of RunInstances."""
    arguments: dict[str, Any] = {
        "ImageId": inputs["ami"],
        "InstanceType": inputs["instanceType"],
        "MinCount": 1,
        "MaxCount": 1,
        "TagSpecifications": tag_specification("instance", inputs.get("tags"))
        + tag_specification("volume", inputs.get("volumeTags")),
    }
    if inputs.get("subnetId"):
        # With a subnet everything goes into the first network interface.
        interface = {"DeviceIndex": 0, "SubnetId": inputs["subnetId"]}
        interface["Groups"] = inputs.get("vpcSecurityGroupIds") or None
        interface["PrivateIpAddress"] = inputs.get("privateIp")
        interface["AssociatePublicIpAddress"] = inputs.get("associatePublicIpAddress")
        arguments["NetworkInterfaces"] = [{k: v for k, v in interface.items() if v is not None}]
    elif inputs.get("vpcSecurityGroupIds"):
        arguments["SecurityGroupIds"] = inputs["vpcSecurityGroupIds"]
    if inputs.get("keyName"):
        arguments["KeyName"] = inputs["keyName"]
    if inputs.get("userData"):
        arguments["UserData"] = inputs["userData"]
    if inputs.get("instanceInitiatedShutdownBehavior"):
        arguments["InstanceInitiatedShutdownBehavior"] = inputs["instanceInitiatedShutdownBehavior"]
    if inputs.get("iamInstanceProfile"):
        arguments["IamInstanceProfile"] = {"Name": inputs["iamInstanceProfile"]}
    if inputs.get("metadataOptions"):
        arguments["MetadataOptions"] = _metadata(inputs["metadataOptions"])
    if "rootBlockDevice" in inputs:
        device = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": inputs["rootBlockDevice"].get("encrypted")}}
        arguments["BlockDeviceMappings"] = [device]
    return arguments


def _metadata(options: Values) -> dict[str, Any]:
    """The official plugin sends the other options only beside an enabled endpoint.

    Raises:
        PluginError: As EC2 refuses an empty endpoint.
    """
    if options.get("httpEndpoint") not in {"enabled", "disabled"}:
        raise PluginError(
            "InvalidParameterValue: a value of '' is not valid for HttpEndpoint. Specify either enabled or "
            "disabled (metadataOptions without httpEndpoint)"
        )
    if options["httpEndpoint"] == "disabled":
        return {"HttpEndpoint": "disabled"}
    return {METADATA_NAMES[name]: value for name, value in options.items()}


class InstanceState(AwsResource):
    """Whether a machine runs."""

    token: ClassVar[str] = "aws:ec2transitgateway/instanceState:InstanceState"
    fields: ClassVar[dict[str, Field]] = {
        "instanceId": Field(STRING, required=True, replace=True),
        "state": Field(STRING, required=True, allowed=("running", "stopped")),
        "force": Field(BOOLEAN, default=False),
    }

    def _bring(self, values: Values) -> None:
        api = self.ec2(values)
        instance_id, wanted = values["instanceId"], values["state"]
        current = ""

        def settled() -> bool:
            nonlocal current
            found = describe(api, instance_id)
            current = found["State"]["Name"] if found else "terminated"
            return current not in {"pending", "stopping"}

        wait_until(f"{instance_id} to settle", settled, seconds=CREATE_SECONDS)
        if current not in {"running", "stopped"}:
            raise PluginError(f"{instance_id} is {current}, and cannot be {wanted}")
        if current != wanted:
            if wanted == "stopped":
                api.stop_instances(InstanceIds=[instance_id], Force=values.get("force", False))
            else:
                api.start_instances(InstanceIds=[instance_id])

        def there() -> bool:
            found = describe(api, instance_id)
            return found is not None and found["State"]["Name"] == wanted

        wait_until(f"{instance_id} to be {wanted}", there, seconds=CREATE_SECONDS)

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """Stop or start it, if it is not so already."""
        del call
        self._bring(inputs)
        return inputs["instanceId"], merged(inputs)

    def read(self, resource_id: str, state: Values) -> Values | None:
        """The present state; a terminated machine has none."""
        found = describe(self.ec2(state), resource_id)
        if found is None or found["State"]["Name"] == "terminated":
            return None
        return {**state, "instanceId": resource_id, "state": found["State"]["Name"]}

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """Acts only on a changed `state`: what EC2 says is not asked for."""
        del resource_id, state, call
        if old["state"] != new["state"]:
            self._bring(new)
        return merged(new)

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """Nothing: the machine stays as it is."""
        del resource_id, state, call
