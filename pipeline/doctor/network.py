"""The subnets of builder and validation machines: free addresses, a route out, and addresses that can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.aws import launch_subnet
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

ANYWHERE = "0.0.0.0/0"
_TARGETS = (
    "GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId",
    "LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn",
)  # fmt: skip
"""Where a route may lead to; the ids show of which kind that is."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What machines need of their subnet.

    Attributes:
        who: The machines.
        subnet_id: The subnet; None means a default one.
        key: Where it is set.
        machines: The number of addresses that they take at once.
        public: Whether they must get a public address from the subnet.
    """

    who: str
    subnet_id: str | None
    key: str
    machines: int
    public: bool


def needs(stack: Stack) -> tuple[Need, Need]:
    """What a stack that bakes needs: the builder's subnet, and the validation machines'."""
    values, validation = stack.variables, stack.settings.validation
    builder = Need(
        who="builder",
        subnet_id=values.get("subnet_id"),
        key=stack.where("bake.variables.subnet_id"),
        machines=1,
        # Without this variable Packer takes whatever address the machine has.
        public=str(values.get("ssh_interface") or "").startswith("public")
        and values.get("associate_public_ip_address") is not True,
    )
    clones = Need(
        who="validation machines",
        subnet_id=validation.subnet_id,
        key=stack.where("validation.subnetId"),
        machines=validation.clones,
        public=validation.address == "public" and validation.public_ip is not True,
    )
    return builder, clones


def check(account: Account, stack: Stack) -> Iterator[Finding]:
    """Both subnets."""
    ec2 = account.client("ec2")
    for need in needs(stack):
        with account.asking(f"look up the subnet of the {need.who}"):
            subnet = launch_subnet(ec2, need.subnet_id)
            routes = routes_of(ec2, subnet) if subnet is not None else []
        subject = Subject(f"subnet of the {need.who}", stack.about)
        yield judge(subject, need, subnet, routes, region=account.region)


def routes_of(ec2: Any, subnet: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The routes of the subnet's own table; if it has none, of its VPC's main one."""
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
    """Compare a subnet and its routes with what is needed.

    Args:
        subject: The check.
        need: What is needed.
        subnet: As EC2 describes it; None if it does not exist.
        routes: The routes that apply to it.
        region: Its region.
    """
    if subnet is None:
        return subject.fail(
            need.subnet_id or f"no default subnet in {region}",
            cause=f"this account has no such subnet in {region}" if need.subnet_id
            else "the account has no default VPC there, so a subnet must be named",
            cure=f"{need.key}: a subnet of this account and region",
        )  # fmt: skip
    name, free = subnet["SubnetId"], subnet.get("AvailableIpAddressCount", 0)
    if subnet.get("State") != "available":
        return subject.fail(
            f"{name} is {subnet.get('State')}", cause="it is not available yet", cure=need.key
        )
    if free < need.machines:
        return subject.fail(
            f"{name} has {free} free addresses",
            cause=f"{need.machines} are needed at once",
            cure=f"{need.key}: a larger subnet; or remove unused machines",
        )
    seen = f"{name} in {subnet['VpcId']}, {free} free addresses"
    return _routed(subject, need, subnet, routes, seen)


def _routed(
    subject: Subject, need: Need, subnet: Mapping[str, Any], routes: Sequence[Mapping[str, Any]], seen: str
) -> Finding:
    name = subnet["SubnetId"]
    out = [route for route in routes if route.get("DestinationCidrBlock") == ANYWHERE]
    way = next((target(route) for route in out if route["State"] != "blackhole"), None)
    if way is None:
        dead = f" (its route leads to {target(out[0])}, which is gone)" if out else ""
        return subject.fail(
            f"{name} has no route to the internet{dead}",
            cause="the builder installs packages from there, and this machine reaches it that way",
            cure=f"a route {ANYWHERE} to an internet or NAT gateway in its route table; or another {need.key}",
        )
    if not need.public:
        return subject.ok(f"{seen}, route out by {way}")
    if subnet.get("MapPublicIpOnLaunch") and way.startswith("igw-"):
        return subject.ok(f"{seen}, public addresses, route out by {way}")
    return subject.fail(
        f"{name} assigns no public addresses" if way.startswith("igw-") else f"{name}: route out by {way}",
        cause=f"this machine reaches the {need.who} at public addresses, through an internet gateway",
        cure=f"{need.key}: a subnet that assigns public addresses and has a route {ANYWHERE} to an internet gateway; "
        "or private addresses, if this machine reaches the VPC",
    )


def target(route: Mapping[str, Any]) -> str:
    """The id of where a route leads to."""
    return next((str(route[key]) for key in _TARGETS if route.get(key)), "an unknown target")
