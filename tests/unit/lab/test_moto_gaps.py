"""What AWS does and moto does not."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab import settings
from tests.unit.lab.paper import source

NAME = "/golden-image/web/prod"


@pytest.fixture
def ssm(ec2: Any) -> Iterator[Any]:
    """A client of the same lab."""
    client = boto3.client(
        "ssm",
        endpoint_url=ec2.meta.endpoint_url,
        region_name=settings.REGION,
        aws_access_key_id="lab",
        aws_secret_access_key="lab",
    )
    yield client
    client.close()


@pytest.mark.parametrize("call", ["label_parameter_version", "unlabel_parameter_version"])
def test_a_label_on_a_parameter_that_is_not_there_leaves_nothing(ssm: Any, call: str) -> None:
    with pytest.raises(ClientError, match="ParameterNotFound"):
        getattr(ssm, call)(Name=NAME, ParameterVersion=1, Labels=["golden-image.prod.x"])
    assert NAME not in {one["Name"] for one in ssm.describe_parameters()["Parameters"]}
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name=NAME)


def test_a_launch_template_that_names_a_parameter(ec2: Any, ssm: Any) -> None:
    """EC2 reads it at each launch, and refuses a launch where there is none."""
    images = [image["ImageId"] for image in ec2.describe_images()["Images"]]
    template = ec2.create_launch_template(
        LaunchTemplateName="by-parameter",
        LaunchTemplateData={"ImageId": f"resolve:ssm:{NAME}", "InstanceType": "t3.micro"},
    )["LaunchTemplate"]["LaunchTemplateId"]

    def launch() -> str:
        launched = ec2.run_instances(LaunchTemplate={"LaunchTemplateId": template}, MinCount=1, MaxCount=1)
        image: str = launched["Instances"][0]["ImageId"]
        return image

    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound.*resolve:ssm:"):
        launch()
    for image in images[:1]:
        ssm.put_parameter(Name=NAME, Value=image, Type="String", Overwrite=True)
        assert launch() == image


def test_only_a_nitro_machine_has_a_latest_console(ec2: Any) -> None:
    def launched(instance_type: str) -> str:
        made = ec2.run_instances(ImageId=source(ec2), InstanceType=instance_type, MinCount=1, MaxCount=1)
        return str(made["Instances"][0]["InstanceId"])

    assert ec2.get_console_output(InstanceId=launched("t3.micro"), Latest=True)["Output"]
    older = launched("t2.micro")
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        ec2.get_console_output(InstanceId=older, Latest=True)
    assert ec2.get_console_output(InstanceId=older)["Output"]
