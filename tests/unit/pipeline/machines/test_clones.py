"""Validation machines as EC2 knows them."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline.aws.clients import Session
from pipeline.aws.machines import Machines
from pipeline.errors import PipelineError
from pipeline.machines.clones import Clones
from pipeline.machines.deadline import Deadline

REGION = "eu-west-1"


@pytest.fixture
def ec2(aws: None) -> Any:
    return boto3.client("ec2", region_name=REGION)


def machines_of(ec2: Any) -> Machines:
    """An account's machines, asked through this client."""
    session = Session(region=REGION)
    session._clients["ec2"] = ec2
    return Machines(session)


def machine(ec2: Any) -> str:
    image = ec2.register_image(Name="image", RootDeviceName="/dev/xvda")["ImageId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    found: str = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet
    )["Instances"][0]["InstanceId"]
    return found


def state(ec2: Any, instance: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    name: str = found["State"]["Name"]
    return name


def test_a_running_machine_is_used_as_it_is_and_stopped(ec2: Any) -> None:
    instance = machine(ec2)
    clones = Clones(machines_of(ec2), [instance], address="private")
    with clones.powered(Deadline(300)) as machines:
        assert [clone.id for clone in machines] == [instance]
        assert machines[0].address.startswith("172.31.")
        assert clones.started == frozenset()
    assert state(ec2, instance) == "stopped"


def test_a_stopped_machine_is_started_and_stopped_again(ec2: Any) -> None:
    instance = machine(ec2)
    ec2.stop_instances(InstanceIds=[instance])
    clones = Clones(machines_of(ec2), [instance], address="private")
    with clones.powered(Deadline(300)) as machines:
        assert clones.state(machines[0]) == "running"
    assert state(ec2, instance) == "stopped"


def test_after_a_failure_it_stays_for_a_look(ec2: Any) -> None:
    instance = machine(ec2)
    ec2.stop_instances(InstanceIds=[instance])
    with (
        pytest.raises(PipelineError, match="failed"),
        Clones(machines_of(ec2), [instance], address="private").powered(Deadline(10)),
    ):
        raise PipelineError("failed")
    assert state(ec2, instance) == "running"


def test_one_that_is_gone(ec2: Any) -> None:
    instance = machine(ec2)
    ec2.terminate_instances(InstanceIds=[instance])
    with (
        pytest.raises(PipelineError, match=f"{instance} has been terminated"),
        Clones(machines_of(ec2), [instance], address="private").powered(Deadline(10)),
    ):
        pass


def test_an_address_that_is_not_the_subnets_is_reported_and_not_tried(ec2: Any) -> None:
    instance = machine(ec2)

    class Lying:
        """EC2, but for one answer."""

        def __getattr__(self, name: str) -> Any:
            return getattr(ec2, name)

        def describe_instances(self, **arguments: Any) -> Any:
            answer = ec2.describe_instances(**arguments)
            answer["Reservations"][0]["Instances"][0]["PrivateIpAddress"] = "10.9.8.7"
            return answer

    with (
        pytest.raises(PipelineError, match="not its subnet's; not connecting") as caught,
        Clones(machines_of(Lying()), [instance], address="private").powered(Deadline(10)),
    ):
        pass
    assert "10.9.8.7" in str(caught.value)


def test_no_public_address(ec2: Any) -> None:
    instance = machine(ec2)

    class Private:
        def __getattr__(self, name: str) -> Any:
            return getattr(ec2, name)

        def describe_instances(self, **arguments: Any) -> Any:
            answer = ec2.describe_instances(**arguments)
            answer["Reservations"][0]["Instances"][0].pop("PublicIpAddress", None)
            return answer

    with (
        pytest.raises(PipelineError, match="has no public address"),
        Clones(machines_of(Private()), [instance], address="public").powered(Deadline(1)),
    ):
        pass


class Lagging:
    """EC2 whose first reads of a machine show an earlier time: it is not found, or what a test says of it."""

    def __init__(self, ec2: Any, *earlier: dict[str, Any] | None) -> None:
        self._ec2 = ec2
        self._earlier = list(earlier)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ec2, name)

    def describe_instances(self, **arguments: Any) -> Any:
        answer = self._ec2.describe_instances(**arguments)
        if self._earlier:
            then = self._earlier.pop(0)
            if then is None:
                said = {"Error": {"Code": "InvalidInstanceID.NotFound", "Message": "m"}}
                raise ClientError(said, "DescribeInstances")  # type: ignore[arg-type]
            answer["Reservations"][0]["Instances"][0] |= then
        return answer


@pytest.mark.parametrize(
    "earlier",
    [[None, None], [{"State": {"Name": "pending"}}], [{}, {"PrivateIpAddress": None}], [{}, None]],
    ids=["not found", "pending", "no address", "not found again"],
)
def test_a_read_that_lags_behind(ec2: Any, earlier: list[dict[str, Any] | None]) -> None:
    instance = machine(ec2)
    clones = Clones(machines_of(Lagging(ec2, *earlier)), [instance], address="private")
    with clones.powered(Deadline(20)) as machines:
        assert [clone.id for clone in machines] == [instance]
        assert machines[0].address.startswith("172.31.")
        assert clones.started == frozenset(), "nobody had to start it"


def test_one_that_is_not_there(ec2: Any) -> None:
    clones = Clones(machines_of(ec2), ["i-0123456789abcdef0"], address="private")
    with pytest.raises(PipelineError, match="cannot be looked up"), clones.powered(Deadline(1)):
        pass


def test_a_refusal_keeps_its_cause(ec2: Any) -> None:
    class Refusing:
        def describe_instances(self, **arguments: Any) -> Any:
            said = {"Error": {"Code": "UnauthorizedOperation", "Message": "m"}}
            raise ClientError(said, "DescribeInstances")  # type: ignore[arg-type]

    with (
        pytest.raises(PipelineError, match="the identity may not look up the machines i-1"),
        Clones(machines_of(Refusing()), ["i-1"], address="private").powered(Deadline(1)),
    ):
        pass
