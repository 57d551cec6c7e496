"""aws:ec2/launchTemplate:LaunchTemplate against the paper lab, as an engine asks it."""

import base64
from typing import Any

from lab.plugins.aws.launch_template import LaunchTemplate
from lab.plugins.resource import Call
from tests.unit.lab.paper import source
from tests.unit.lab.scaling import Account

CALL = Call("urn:pulumi:dev::golden-image::aws:ec2/launchTemplate:LaunchTemplate::web")


def encoded(script: str) -> str:
    return base64.b64encode(script.encode()).decode()


def versions(account: Account, template_id: str) -> dict[int, str | None]:
    found = account.ec2.describe_launch_template_versions(LaunchTemplateId=template_id)
    return {
        one["VersionNumber"]: one["LaunchTemplateData"].get("UserData")
        for one in found["LaunchTemplateVersions"]
    }


def test_user_data_is_passed_as_it_is_and_a_change_makes_a_version(serving: Account) -> None:
    first, second = encoded("#!/bin/sh\necho one\n"), encoded("#!/bin/sh\necho two\n")
    given: dict[str, Any] = {"imageId": source(serving.ec2), "instanceType": "t3.micro", "userData": first}
    inputs, failures = LaunchTemplate().check({}, given, CALL)
    assert failures.found == []
    template_id, outputs = LaunchTemplate().create(inputs, CALL)
    assert (outputs["userData"], versions(serving, template_id)) == (first, {1: first})
    same = LaunchTemplate().compared(inputs, outputs)
    assert LaunchTemplate().diff(same, inputs).names == frozenset()

    changed = {**inputs, "userData": second}
    assert LaunchTemplate().diff(same, changed).names == {"userData"}
    planned = LaunchTemplate().plan_update(outputs, changed, frozenset({"userData"}))
    assert "latestVersion" not in planned, "not numbered yet"
    outputs = LaunchTemplate().update(template_id, outputs, inputs, changed, CALL)
    assert (outputs["userData"], outputs["latestVersion"]) == (second, 2)
    assert versions(serving, template_id) == {1: first, 2: second}

    without = {name: value for name, value in changed.items() if name != "userData"}
    outputs = LaunchTemplate().update(template_id, outputs, changed, without, CALL)
    assert "userData" not in outputs
    assert versions(serving, template_id)[3] is None


def test_a_version_that_somebody_made_by_hand_shows_as_a_difference(serving: Account) -> None:
    given = {"imageId": source(serving.ec2), "userData": encoded("one")}
    inputs, _ = LaunchTemplate().check({}, given, CALL)
    template_id, outputs = LaunchTemplate().create(inputs, CALL)
    serving.ec2.create_launch_template_version(
        LaunchTemplateId=template_id,
        LaunchTemplateData={"ImageId": given["imageId"], "UserData": encoded("by hand")},
    )
    seen = LaunchTemplate().read(template_id, outputs)
    assert seen is not None
    assert LaunchTemplate().diff(LaunchTemplate().compared(inputs, seen), inputs).names == {"userData"}


def test_a_template_that_is_gone_is_gone(serving: Account) -> None:
    inputs, _ = LaunchTemplate().check({}, {"imageId": source(serving.ec2)}, CALL)
    template_id, outputs = LaunchTemplate().create(inputs, CALL)
    serving.ec2.delete_launch_template(LaunchTemplateId=template_id)
    assert LaunchTemplate().read(template_id, outputs) is None
    LaunchTemplate().delete(template_id, outputs, CALL)
