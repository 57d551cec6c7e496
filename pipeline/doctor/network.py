"""The subnets of builder and validation machines: there, with room, a way out, and addresses that can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import aws
from pipeline.doctor import template
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

ANYWHERE = "0.0.0.0/0"
_WAYS = {
    "GatewayId": "gateway",
    "NatGatewayId": "NAT gateway",
    "TransitGatewayId": "transit gateway",
    "NetworkInterfaceId": "network interface",
    "VpcPeeringConnectionId": "peering",
    "LocalGatewayId": "local gateway",
    "CarrierGatewayId": "carrier gateway",
    "CoreNetworkArn": "core network",
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """Who wants which subnet.

    Attributes:
        who: The machines.
        subnet_id: The subnet; None means a default one.
        key: Where a person names it.
        machines: How many addresses they take at once.
        public: Whether they must get a public address from the subnet.
    """

    who: str
    subnet_id: str | None
    key: str
    machines: int
    public: bool


def needs(stack: Stack, values: Mapping[str, Any]) -> tuple[Need, Need]:
    """What a stack that bakes wants: the builder's subnet, and the validation machines'."""
    builder = Need(
        who="builder",
        subnet_id=values.get("subnet_id"),
        key=stack.where("bake.variables.subnet_id"),
        machines=1,
        # Without a word on it Packer takes whatever address the machine has.
        public=str(values.get("ssh_interface") or "").startswith("public")
        and values.get("associate_public_ip_address") is not True,
    )
    clones = Need(
        who="validation machines",
        subnet_id=stack.validation.subnet_id,
        key=stack.where("validation.subnetId"),
        machines=stack.validation.clones,
        public=stack.validation.address == "public",
    )
    return builder, clones


def check(account: Account, stack: Stack) -> Iterator[Finding]:
    """Both subnets; one finding where they are the same and well."""
    wanted = needs(stack, template.values(stack))
    for need in wanted:
        subject = Subject(f"subnet of the {need.who}", stack.about)
        subnet = find(account, need.subnet_id)
        table = routes(account, subnet) if subnet is not None else []
        yield judge(subject, need, subnet, table, region=account.place.region)


def find(account: Account, subnet_id: str | None) -> Mapping[str, Any] | None:
    """The subnet, or the default one that a launch without a subnet would take, or None."""
    found: Mapping[str, Any] | None = aws.launch_subnet(account.client("ec2"), subnet_id)
    return found


def routes(account: Account, subnet: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The routes of the subnet's own table, or of its VPC's main one, which it has otherwise."""
    ec2 = account.client("ec2")
    own = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    main = [
        {"Name": "vpc-id", "Values": [subnet["VpcId"]]},
        {"Name": "association.main", "Values": ["true"]},
    ]
    tables = (
        ec2.describe_route_tables(Filters=own)["RouteTables"]
        or ec2.describe_route_tables(Filters=main)["RouteTables"]
    )
    return [route for table in tables for route in table["Routes"]]


def judge(
    subject: Subject,
    need: Need,
    subnet: Mapping[str, Any] | None,
    routes: Sequence[Mapping[str, Any]],
    *,
    region: str,
) -> Finding:
    """What a subnet and its routes come to.

    Args:
        subject: The check.
        need: Who wants it.
        subnet: As EC2 describes it; None if there is none.
        routes: The routes that apply to it.
        region: Where it was looked for.
    """
    if subnet is None:
        return subject.fail(
            need.subnet_id or f"no default subnet in {region}",
            cause=f"this account has no such subnet in {region}" if need.subnet_id
            else "the account has no default VPC there, so a subnet must be named",
            cure=f"{need.key}: a subnet of this account and region",
        )  # fmt: skip
    name = subnet["SubnetId"]
    free = subnet.get("AvailableIpAddressCount", 0)
    if subnet.get("State") != "available":
        return subject.fail(f"{name} is {subnet.get('State')}", cause="it is not ready", cure=need.key)
    if free < need.machines:
        return subject.fail(
            f"{name} has {free} free addresses",
            cause=f"{need.machines} are needed at once",
            cure=f"{need.key}: a larger subnet; or remove machines that nobody needs",
        )
    way = _way_out(routes)
    if way is None or way["State"] == "blackhole":
        dead = "" if way is None else f" (its route leads to {_target(way)}, which is gone)"
        return subject.fail(
            f"{name} has no route to the internet{dead}",
            cause="packages are installed from there, and this machine reaches the builder through it",
            cure=f"a route {ANYWHERE} to an internet or NAT gateway in its route table; or another {need.key}",
        )
    return _reachable(subject, need, subnet, way, f"{name} in {subnet['VpcId']}, {free} free addresses")


def _reachable(
    subject: Subject, need: Need, subnet: Mapping[str, Any], way: Mapping[str, Any], seen: str
) -> Finding:
    by = f"out by {_target(way)}"
    if not need.public:
        return subject.ok(f"{seen}, {by}")
    if not subnet.get("MapPublicIpOnLaunch"):
        return subject.fail(
            f"{subnet['SubnetId']} gives machines no public address",
            cause=f"the {need.who} are to be reached at a public one",
            cure=f"{need.key}: a subnet that gives one; or address: private, where this machine reaches the VPC",
        )
    if not str(way.get("GatewayId", "")).startswith("igw-"):
        return subject.fail(
            f"{subnet['SubnetId']}: {by}",
            cause="a public address is reached through an internet gateway only",
            cure=f"{need.key}: a subnet whose route {ANYWHERE} leads to an internet gateway; or address: private",
        )
    return subject.ok(f"{seen}, public addresses, {by}")


def _way_out(routes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The route to everywhere; one that works first."""
    out = [route for route in routes if route.get("DestinationCidrBlock") == ANYWHERE]
    return min(out, key=lambda route: route["State"] == "blackhole", default=None)


def _target(route: Mapping[str, Any]) -> str:
    return next(
        (f"{word} {route[key]}" for key, word in _WAYS.items() if route.get(key)), "an unknown target"
    )
