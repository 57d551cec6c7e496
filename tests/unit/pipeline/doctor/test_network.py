"""Subnets: there, with room, a way out, and addresses that can be reached."""

from typing import Any

import boto3
import pytest

from pipeline.doctor import network
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Status, Subject
from pipeline.doctor.network import Need
from pipeline.doctor.stacks import Place
from tests.unit.pipeline.doctor.making import baking

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
        (NEED, SUBNET, [LOCAL, IGW], Status.OK, "out by gateway igw-1"),
        (NEED, SUBNET, [LOCAL, NAT], Status.OK, "out by NAT gateway nat-1"),
        (PUBLIC, SUBNET, [LOCAL, IGW], Status.OK, "public addresses"),
        (NEED, None, [], Status.FAIL, "subnet-1"),
        (NEED, SUBNET, [LOCAL], Status.FAIL, "no route to the internet"),
        (NEED, SUBNET, [LOCAL, DEAD], Status.FAIL, "leads to NAT gateway nat-1, which is gone"),
        (NEED, {**SUBNET, "AvailableIpAddressCount": 1}, [IGW], Status.FAIL, "1 free addresses"),
        (NEED, {**SUBNET, "State": "pending"}, [IGW], Status.FAIL, "is pending"),
        (PUBLIC, {**SUBNET, "MapPublicIpOnLaunch": False}, [IGW], Status.FAIL, "no public address"),
        (PUBLIC, SUBNET, [NAT], Status.FAIL, "NAT gateway"),
    ],
)
def test_judge(need: Need, subnet: Any, routes: list[Any], status: Status, seen: str) -> None:
    finding = network.judge(SUBJECT, need, subnet, routes, region="eu-west-1")
    assert finding.status is status
    assert seen in finding.seen
    assert status is Status.OK or "the key" in finding.cure or "route 0.0.0.0/0" in finding.cure


def test_needs() -> None:
    builder, clones = network.needs(
        baking(validation={"subnetId": "subnet-22222222", "clones": 3}), {"ssh_interface": "public_ip"}
    )
    assert builder.public
    assert (clones.subnet_id, clones.machines, clones.public) == ("subnet-22222222", 3, True)
    values = {"ssh_interface": "public_ip", "associate_public_ip_address": True, "subnet_id": "subnet-3"}
    builder, clones = network.needs(baking(validation={"address": "private"}), values)
    assert (builder.subnet_id, builder.public, clones.public) == ("subnet-3", False, False)


@pytest.mark.usefixtures("aws")
def test_the_route_table_of_its_own_goes_before_the_main_one() -> None:
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    account = Account(Place("eu-west-1"))
    subnet = network.find(account, None)
    assert subnet is not None
    assert network.find(account, "subnet-00000000") is None
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=subnet["VpcId"])
    main = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])[
        "RouteTables"
    ][0]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    finding = network.judge(SUBJECT, PUBLIC, subnet, network.routes(account, subnet), region="eu-west-1")
    assert finding.status is Status.OK
    own = ec2.create_route_table(VpcId=subnet["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=own, SubnetId=subnet["SubnetId"])
    finding = network.judge(SUBJECT, PUBLIC, subnet, network.routes(account, subnet), region="eu-west-1")
    assert "no route" in finding.seen
