"""aws:ec2/securityGroup:SecurityGroup and its rules as resources of their own."""

from __future__ import annotations

import ipaddress
from typing import Any, ClassVar

from lab.plugins.aws.base import TAGS, AwsResource, code_of, tag_list, tag_specification, wait_until
from lab.plugins.fields import BOOLEAN, INTEGER, STRING, Failures, Field
from lab.plugins.resource import Call, Values, merged

DELETE_SECONDS = 900.0
SOURCES = {
    "cidrIpv4": "CidrIpv4",
    "cidrIpv6": "CidrIpv6",
    "prefixListId": "PrefixListId",
    "referencedSecurityGroupId": "ReferencedGroupId",
}


class SecurityGroup(AwsResource):
    """A group without inline rules."""

    token: ClassVar[str] = "aws:ec2/securityGroup:SecurityGroup"
    name_field: ClassVar[str | None] = "name"
    fields: ClassVar[dict[str, Field]] = {
        "name": Field(STRING, replace=True),
        "description": Field(STRING, replace=True, default="Managed by Pulumi"),
        "vpcId": Field(STRING, replace=True),
        "revokeRulesOnDelete": Field(BOOLEAN, default=False),
        "tags": TAGS,
    }

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """EC2 keeps `sg-` for ids."""
        name = inputs.get("name")
        if isinstance(name, str) and name.startswith("sg-"):
            failures.add("name", "invalid value for name (cannot begin with sg-)")

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """CreateSecurityGroup, and take away the allow-all rule for egress that EC2 gives."""
        del call
        api = self.ec2(inputs)
        arguments: dict[str, Any] = {"GroupName": inputs["name"], "Description": inputs["description"]}
        if inputs.get("vpcId"):
            arguments["VpcId"] = inputs["vpcId"]
        group_id: str = api.create_security_group(
            **arguments, TagSpecifications=tag_specification("security-group", inputs.get("tags"))
        )["GroupId"]
        group = api.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
        if group["IpPermissionsEgress"]:
            api.revoke_security_group_egress(GroupId=group_id, IpPermissions=group["IpPermissionsEgress"])
        outputs = self.read(group_id, merged(inputs))
        assert outputs is not None  # it was made a moment ago
        return group_id, outputs

    def read(self, resource_id: str, state: Values) -> Values | None:
        """DescribeSecurityGroups."""
        api = self.ec2(state)
        try:
            found = api.describe_security_groups(GroupIds=[resource_id])["SecurityGroups"][0]
        except api.exceptions.ClientError as error:
            if code_of(error) in {"InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"}:
                return None
            raise
        return {**state, "name": found["GroupName"], "ownerId": found["OwnerId"], "vpcId": found["VpcId"]}

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """Tags, and `revokeRulesOnDelete`, which lives in the state only."""
        del call
        self.change_tags(self.ec2(new), resource_id, old, new)
        return {**state, **merged(new)}

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """DeleteSecurityGroup; tried again while something still uses it."""
        del call
        api = self.ec2(state)

        def deleted() -> bool:
            try:
                api.delete_security_group(GroupId=resource_id)
            except api.exceptions.ClientError as error:
                if code_of(error) in {"DependencyViolation", "InvalidGroup.InUse"}:
                    return False
                if code_of(error) != "InvalidGroup.NotFound":
                    raise
            return True

        wait_until(f"{resource_id} to be free", deleted, seconds=DELETE_SECONDS)


class _Rule(AwsResource):
    """One rule, of either direction."""

    egress: ClassVar[bool]
    fields: ClassVar[dict[str, Field]] = {
        "securityGroupId": Field(STRING, required=True, replace=True),
        "ipProtocol": Field(STRING, required=True),
        "fromPort": Field(INTEGER),
        "toPort": Field(INTEGER),
        **{name: Field(STRING) for name in SOURCES},
        "description": Field(STRING),
        "tags": TAGS,
    }

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """Exactly one source, and a CIDR that is a network's address."""
        given = [name for name in SOURCES if name in inputs]
        if len(given) != 1:
            failures.add(
                "cidrIpv4", f"exactly one of {', '.join(SOURCES)} must be given, got {given or 'none'}"
            )
        for name in ("cidrIpv4", "cidrIpv6"):
            value = inputs.get(name)
            if isinstance(value, str):
                try:
                    ipaddress.ip_network(value)
                except ValueError as error:
                    failures.add(name, f"must be a network address in CIDR form, got {value!r} ({error})")

    def diff(self, old: Values, new: Values) -> Any:
        """Another kind of source is another rule."""
        change = super().diff(old, new)
        kinds = [{name for name in SOURCES if name in values} for values in (old, new)]
        if kinds[0] != kinds[1]:
            return type(change)(change.names, change.replaces | (kinds[0] ^ kinds[1]), change.delete_first)
        return change

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """Authorize one permission; tags by a call of their own."""
        del call
        api = self.ec2(inputs)
        authorize = (
            api.authorize_security_group_egress if self.egress else api.authorize_security_group_ingress
        )
        answer = authorize(GroupId=inputs["securityGroupId"], IpPermissions=[_permission(inputs)])
        rule_id: str = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        if inputs.get("tags"):
            api.create_tags(Resources=[rule_id], Tags=tag_list(inputs["tags"]))
        return rule_id, merged(inputs, securityGroupRuleId=rule_id)

    def read(self, resource_id: str, state: Values) -> Values | None:
        """DescribeSecurityGroupRules by id."""
        api = self.ec2(state)
        try:
            rules = api.describe_security_group_rules(SecurityGroupRuleIds=[resource_id])[
                "SecurityGroupRules"
            ]
        except api.exceptions.ClientError as error:
            if code_of(error) == "InvalidSecurityGroupRuleId.NotFound":
                return None
            raise
        if not rules or rules[0].get("IsEgress", False) != self.egress:
            return None
        return state

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """One ModifySecurityGroupRules, then tags."""
        del call
        api = self.ec2(new)
        if _permission(old) != _permission(new):
            rule = {SOURCES[name]: new[name] for name in SOURCES if name in new}
            rule |= {"IpProtocol": new["ipProtocol"], "FromPort": new.get("fromPort", -1)}
            rule |= {"ToPort": new.get("toPort", -1), "Description": new.get("description", "")}
            api.modify_security_group_rules(
                GroupId=new["securityGroupId"],
                SecurityGroupRules=[{"SecurityGroupRuleId": resource_id, "SecurityGroupRule": rule}],
            )
        self.change_tags(api, resource_id, old, new)
        return {**state, **merged(new)}

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """Revoke by rule id."""
        del call
        api = self.ec2(state)
        revoke = api.revoke_security_group_egress if self.egress else api.revoke_security_group_ingress
        try:
            revoke(GroupId=state["securityGroupId"], SecurityGroupRuleIds=[resource_id])
        except api.exceptions.ClientError as error:
            if code_of(error) not in {"InvalidGroup.NotFound", "InvalidSecurityGroupRuleId.NotFound"}:
                raise


def _permission(values: Values) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": values["ipProtocol"]}
    if "fromPort" in values:
        permission |= {"FromPort": values["fromPort"], "ToPort": values.get("toPort", values["fromPort"])}
    note = {"Description": values["description"]} if values.get("description") else {}
    if "cidrIpv4" in values:
        permission["IpRanges"] = [{"CidrIp": values["cidrIpv4"], **note}]
    elif "cidrIpv6" in values:
        permission["Ipv6Ranges"] = [{"CidrIpv6": values["cidrIpv6"], **note}]
    elif "prefixListId" in values:
        permission["PrefixListIds"] = [{"PrefixListId": values["prefixListId"], **note}]
    else:
        permission["UserIdGroupPairs"] = [{"GroupId": values["referencedSecurityGroupId"], **note}]
    return permission


class IngressRule(_Rule):
    """What may come in."""

    token: ClassVar[str] = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    egress: ClassVar[bool] = False


class EgressRule(_Rule):
    """What may go out."""

    token: ClassVar[str] = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    egress: ClassVar[bool] = True
