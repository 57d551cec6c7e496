"""Reads may show the account as it was before the last writes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from lab import account, environment, settings
from lab.manners import stale_reads
from tests.unit.lab.manners.conftest import Clock
from tests.unit.lab.paper import PaperMachine, run, source


@pytest.fixture
def client(
    manners: Callable[..., None], client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Clients of a lab in which each read lags."""
    monkeypatch.setattr(stale_reads, "CHANCE", 1.0)
    manners("stale-reads")
    return client


def seen(look: Callable[[], Any], count: int = 20) -> list[Any]:
    """What a look shows, again and again."""
    return [look() for _ in range(count)]


def test_a_tag_just_written_is_there_for_some_reads_and_for_all_in_the_end(
    client: Callable[..., Any], clock: Clock
) -> None:
    ec2 = client("ec2")
    image_id = client("ec2", environment.ONLOOKER).register_image(Name="image", Architecture="x86_64")[
        "ImageId"
    ]

    def tags() -> list[str]:
        return [tag["Value"] for tag in ec2.describe_tags()["Tags"]]

    ec2.create_tags(Resources=[image_id], Tags=[{"Key": "Note", "Value": "first"}])
    clock.advance(stale_reads.SECONDS)
    ec2.create_tags(Resources=[image_id], Tags=[{"Key": "Note", "Value": "second"}])
    clock.advance(stale_reads.SECONDS / 2)
    looks = seen(tags)
    assert ["first"] in looks
    assert ["second"] in looks
    assert client("ec2", environment.ONLOOKER).describe_tags()["Tags"][0]["Value"] == "second"
    clock.advance(stale_reads.SECONDS)
    assert seen(tags, 5) == [["second"]] * 5


def test_what_was_just_made_may_not_be_found_by_its_id(client: Callable[..., Any], clock: Clock) -> None:
    ec2 = client("ec2")
    instance_id, _ = run(ec2)

    def there() -> bool:
        try:
            ec2.describe_instances(InstanceIds=[instance_id])
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidInstanceID.NotFound":
                return False
            raise
        return True

    assert False in seen(there)
    clock.advance(stale_reads.SECONDS_BY_ID)
    assert seen(there, 5) == [True] * 5


def test_an_image_just_made_is_found_by_its_id_and_its_tags_may_lag(
    client: Callable[..., Any], clock: Clock
) -> None:
    ec2 = client("ec2")
    image_id = ec2.register_image(Name="image", Architecture="x86_64")["ImageId"]

    def tags() -> int:
        return len(ec2.describe_images(ImageIds=[image_id])["Images"][0].get("Tags", []))

    assert seen(tags) == [0] * 20
    clock.advance(stale_reads.SECONDS)
    ec2.create_tags(Resources=[image_id], Tags=[{"Key": "Note", "Value": "new"}])
    assert 0 in seen(tags)


def test_the_lab_says_how_long_a_read_may_lag_still(client: Callable[..., Any], clock: Clock) -> None:
    ssm = client("ssm")

    def lag() -> float:
        found: float = httpx.get(f"{ssm.meta.endpoint_url}/lab-api/lag").json()
        return found

    assert lag() == 0.0
    ssm.put_parameter(Name="/a/b", Value="one", Type="String")
    clock.advance(0.5)
    assert lag() == stale_reads.SECONDS - 0.5
    clock.advance(stale_reads.SECONDS)
    assert lag() == 0.0


def test_a_list_of_parameters_may_be_older_than_a_parameter(client: Callable[..., Any], clock: Clock) -> None:
    ssm = client("ssm")
    ssm.put_parameter(Name="/a/b", Value="one", Type="String")
    clock.advance(stale_reads.SECONDS)
    ssm.put_parameter(Name="/a/b", Value="two", Type="String", Overwrite=True)

    def listed() -> list[str]:
        return [one["Value"] for one in ssm.get_parameters_by_path(Path="/a")["Parameters"]]

    assert ["one"] in seen(listed)
    clock.advance(stale_reads.SECONDS)
    assert seen(listed, 5) == [["two"]] * 5


def test_the_same_seed_draws_the_same(
    client: Callable[..., Any], manners: Callable[..., None], clock: Clock
) -> None:
    ssm = client("ssm")

    def draw(seed: int) -> list[int]:
        ssm.put_parameter(Name="/a", Value="one", Type="String", Overwrite=True)
        clock.advance(stale_reads.SECONDS)
        manners("stale-reads", seed=seed)
        version: int = ssm.put_parameter(Name="/a", Value="two", Type="String", Overwrite=True)["Version"]
        clock.advance(stale_reads.SECONDS / 2)
        return [
            version - found for found in seen(lambda: ssm.get_parameter(Name="/a")["Parameter"]["Version"])
        ]

    assert set(draw(5)) == {0, 1}
    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


def test_a_write_is_never_lost_by_a_read_of_the_past(client: Callable[..., Any]) -> None:
    ec2 = client("ec2")
    for number in range(5):
        ec2.register_image(Name=f"image-{number}", Architecture="x86_64")
        seen(lambda: ec2.describe_images(Owners=["self"]), 3)
    assert len(client("ec2", environment.ONLOOKER).describe_images(Owners=["self"])["Images"]) == 5


def test_a_machine_has_its_key_while_reads_of_the_past_are_under_way(
    client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = account.as_it_was

    @contextmanager
    def long(state: Any) -> Iterator[None]:
        with real(state):
            time.sleep(0.2)
            yield

    monkeypatch.setattr(account, "as_it_was", long)
    monkeypatch.setattr(stale_reads, "SECONDS", 1e6)
    ec2 = client("ec2")
    image = source(client("ec2", environment.ONLOOKER))
    ec2.create_key_pair(KeyName="new")
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            client("ec2").describe_images(Owners=["self"])

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        answer = ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", KeyName="new", MinCount=1, MaxCount=1
        )
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    [seed] = PaperMachine.all[answer["Instances"][0]["InstanceId"]].seeds
    assert seed.public_key is not None


def test_a_refresh_that_was_just_started_may_not_be_in_the_list_and_its_group_is_found(
    client: Callable[..., Any], clock: Clock
) -> None:
    ec2, scaling = client("ec2"), client("autoscaling")
    data = {"ImageId": source(ec2), "InstanceType": "t3.micro"}
    made = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]
    clock.advance(stale_reads.SECONDS)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web", MinSize=0, MaxSize=1, VPCZoneIdentifier=settings.SUBNET_ID,
        LaunchTemplate={"LaunchTemplateId": made["LaunchTemplateId"], "Version": "1"},
    )  # fmt: skip
    assert {
        len(found) for found in seen(lambda: scaling.describe_auto_scaling_groups()["AutoScalingGroups"])
    } == {1}

    def listed() -> int:
        return len(scaling.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"])

    assert set(seen(listed)) == {0}
    clock.advance(stale_reads.SECONDS)
    scaling.start_instance_refresh(AutoScalingGroupName="web")
    clock.advance(stale_reads.SECONDS / 2)
    assert set(seen(listed)) == {0, 1}
    clock.advance(stale_reads.SECONDS)
    assert set(seen(listed)) == {1}
