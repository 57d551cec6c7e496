"""Subnets: there, with room, a way out, and addresses that can be reached."""

from typing import Any

import boto3
import pytest

from pipeline.aws import launch_subnet
from pipeline.doctor import network
from pipeline.doctor.findings import Status, Subject
from pipeline.doctor.network import Need
from tests.unit.pipeline.doctor.making import REGION, stack

SUBJECT = Subject("subnet", "stack dev")
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
IGW = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
DEAD = {**NAT, "State": "blackhole"}
SUBNET = {
    "SubnetId": "subnet-1",
    "VpcId": "vpc-1",
    "State": "available",
    "AvailableIpAddressCount": 10,
    "MapPublicIpOnLaunch": True,
}
NEED = Need(who="builder", subnet_id="subnet-1", key="the key", machines=2, public=False)
PUBLIC = Need(who="builder", subnet_id="subnet-1", key="the key", machines=2, public=True)


@pytest.mark.parametrize(
    ("need", "subnet", "routes", "status", "seen"),
    [
        (NEED, SUBNET, [LOCAL, IGW], Status.OK, "route out by igw-1"),
        (NEED, SUBNET, [LOCAL, NAT], Status.OK, "route out by nat-1"),
        (PUBLIC, SUBNET, [LOCAL, IGW], Status.OK, "public addresses"),
        (NEED, None, [], Status.FAIL, "subnet-1"),
        (NEED, SUBNET, [LOCAL], Status.FAIL, "no route to the internet"),
        (NEED, SUBNET, [LOCAL, DEAD], Status.FAIL, "leads to nat-1, which is gone"),
        (NEED, {**SUBNET, "AvailableIpAddressCount": 1}, [IGW], Status.FAIL, "1 free addresses"),
        (NEED, {**SUBNET, "State": "pending"}, [IGW], Status.FAIL, "is pending"),
        (PUBLIC, {**SUBNET, "MapPublicIpOnLaunch": False}, [IGW], Status.FAIL, "assigns no public addresses"),
        (PUBLIC, SUBNET, [NAT], Status.FAIL, "route out by nat-1"),
    ],
)
def test_judge(need: Need, subnet: Any, routes: list[Any], status: Status, seen: str) -> None:
    finding = network.judge(SUBJECT, need, subnet, routes, region=REGION)
    assert finding.status is status
    assert seen in finding.seen
    assert status is Status.OK or "the key" in finding.cure or "route 0.0.0.0/0" in finding.cure


def test_needs() -> None:
    values: dict[str, Any] = {"ssh_interface": "public_ip"}
    builder, clones = network.needs(
        stack(bake={"variables": values}, validation={"subnetId": "subnet-22222222", "clones": 3})
    )
    assert builder.public
    assert (clones.subnet_id, clones.machines, clones.public) == ("subnet-22222222", 3, True)
    values |= {"associate_public_ip_address": True, "subnet_id": "subnet-33333333"}
    builder, clones = network.needs(stack(bake={"variables": values}, validation={"address": "private"}))
    assert (builder.subnet_id, builder.public, clones.public) == ("subnet-33333333", False, False)


def test_machines_that_ask_for_a_public_address_need_none_of_the_subnet() -> None:
    _, clones = network.needs(stack(validation={"associatePublicIp": True}))
    assert not clones.public


@pytest.mark.usefixtures("aws")
def test_the_route_table_of_its_own_goes_before_the_main_one() -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    subnet = launch_subnet(ec2, None)
    assert subnet is not None
    assert launch_subnet(ec2, "subnet-00000000") is None
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=subnet["VpcId"])
    main = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])[
        "RouteTables"
    ][0]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    finding = network.judge(SUBJECT, PUBLIC, subnet, network.routes_of(ec2, subnet), region=REGION)
    assert finding.status is Status.OK
    own = ec2.create_route_table(VpcId=subnet["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=own, SubnetId=subnet["SubnetId"])
    finding = network.judge(SUBJECT, PUBLIC, subnet, network.routes_of(ec2, subnet), region=REGION)
    assert "no route" in finding.seen
