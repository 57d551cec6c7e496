"""Stack config: parsed once, strictly, with errors that say where to change what."""

import json
from datetime import timedelta
from typing import Any

import pytest

from pipeline.baking.variables import variables_of
from pipeline.errors import PipelineError
from pipeline.settings import load, provider
from pipeline.settings.role import Role

DEV = {"role": "web", "channel": "candidate", "from": "bake"}
PROD = {"role": "web", "channel": "prod", "from": "candidate"}
WEB = Role(name="web", file="role.yaml", ports={}, health=None, variables={})


def config(values: dict[str, Any], **aws: str) -> dict[str, str]:
    """As the engine hands it over."""
    found = {f"golden-image:{k}": v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    return found | {f"aws:{k}": v for k, v in ({"region": "eu-west-1"} | aws).items()}


def parse(values: dict[str, Any], **aws: str) -> load.Settings:
    return load.parse(config(values, **aws), stack="dev")


def test_defaults_are_those_of_aws() -> None:
    found = parse(DEV)
    assert found.bakes
    assert (found.role, found.architecture, found.allowed_owners) == ("web", "x86_64", ("self",))
    assert found.validation.ssh_user == "ec2-user"
    assert found.validation.encrypt_root
    assert (found.validation.soak_seconds, found.validation.reboot) == (30, True)
    assert found.validation.allowed_cidr is None
    assert found.environment == {"AWS_REGION": "eu-west-1"}


def test_default_sizes_follow_the_architecture() -> None:
    for architecture, family in (("x86_64", "t3"), ("arm64", "t4g")):
        found = parse(DEV | {"architecture": architecture})
        assert found.clone_type == f"{family}.micro"
        assert found.fleet_type == f"{family}.medium"
        builder = variables_of(found, WEB)[1].get("instance_type", "t3.medium")
        assert builder == f"{family}.medium"


def test_a_profile_reaches_the_steps() -> None:
    assert parse(DEV, profile="build").environment == {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "build"}


def test_a_pin_overrides_the_source() -> None:
    found = parse(DEV | {"image": "ami-0123456789abcdef0"})
    assert not found.bakes
    assert found.request.pin == "ami-0123456789abcdef0"
    assert found.request.source_channel is None


@pytest.mark.parametrize(
    ("text", "time"),
    [("90m", timedelta(minutes=90)), ("24h", timedelta(hours=24)), ("3d", timedelta(days=3))],
)
def test_a_soak(text: str, time: timedelta) -> None:
    assert parse(PROD | {"soak": text}).request.soak == time
    assert parse(PROD | {"soak": text, "image": "ami-0123456789abcdef0"}).request.soak == time
    assert parse(PROD).request.soak is None


def test_a_channel_as_the_source() -> None:
    found = parse(PROD)
    assert not found.bakes
    assert found.request.source_channel == "candidate"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (DEV | {"chanel": "x"}, r"golden-image:chanel is not a known key \(did you mean channel\?\)"),
        (DEV | {"validation": {"clone": 2}}, r"golden-image:validation.clone .*did you mean clones"),
        (
            DEV | {"fleet": {"group": {"minSiez": 1}}},
            r"golden-image:fleet.group.minSiez .*did you mean minSize",
        ),
        (
            DEV | {"fleet": {"group": {"minSize": 1, "subnetIds": []}}},
            r"golden-image:fleet.group.maxSize is required\n.*nothing\n.*a whole number from 1 to 10000",
        ),
        (
            DEV
            | {"fleet": {"group": {"minSize": 1, "maxSize": 1, "subnetIds": [], "refresh": {"alarm": 1}}}},
            r"golden-image:fleet.group.refresh.alarm .*did you mean alarms",
        ),
        (
            DEV | {"fleet": {"group": {"minSize": 1, "maxSize": 1}}},
            r"golden-image:fleet.group.subnetIds is required\n.*nothing\n.*a list, each item a subnet id",
        ),
        (DEV | {"validation": {"clones": 0}}, "a whole number from 1 to 10"),
        (DEV | {"validation": {"timeoutSeconds": 30}}, r"validation.soakSeconds leaves no time"),
        (DEV | {"validation": {"clones": True}}, "clones is not valid"),
        (DEV | {"validation": {"allowedCidr": "0.0.0.0/0"}}, "lets in too many addresses"),
        (DEV | {"validation": {"allowedCidr": "10.0.0.1/8"}}, "has host bits set"),
        (DEV | {"validation": {"address": "publik"}}, "did you mean public"),
        (DEV | {"bake": {"timeoutMinutes": 4}}, "bake.timeoutMinutes is not valid"),
        (DEV | {"bake": {"timeoutMinutes": 721}}, "a whole number from 5 to 720"),
        (DEV | {"validation": "fast"}, "a mapping of keys to values"),
        (DEV | {"image": "ami-1"}, "golden-image:image is not valid"),
        ({"channel": "prod", "from": "bake"}, "golden-image:role is required"),
        (DEV | {"architecture": "x86"}, "x86_64 or arm64"),
        (DEV | {"channel": "Prod"}, "golden-image:channel is not valid"),
        (DEV | {"channel": "bake"}, "any name but bake"),
        ({"role": "web", "channel": "prod"}, "does not say where its image comes from"),
        ({"role": "web", "from": "bake"}, "golden-image:channel is required"),
        (
            {"role": "web", "channel": "prod", "from": "prod"},
            "takes its image from the channel it promotes into",
        ),
        (DEV | {"fleet": {"securityGroupIds": "sg-1"}}, "a list, each item a security group id"),
        (DEV | {"allowedOwners": ["me"]}, "a list, each item self, amazon"),
        (PROD | {"soak": "24"}, "golden-image:soak is not valid"),
        (DEV | {"soak": "24h"}, "golden-image:soak contradicts the rest"),
        (DEV | {"soak": "24h", "image": "ami-0123456789abcdef0"}, "golden-image:soak contradicts the rest"),
        (
            {"role": "web", "channel": "prod", "soak": "24h", "image": "ami-0123456789abcdef0"},
            "soak contradicts",
        ),
        (DEV | {"bake": {"rebakeOnNewSource": "yes"}}, "true or false, without quotes"),
    ],
)
def test_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError, match=message) as caught:
        parse(values)
    assert "Pulumi.dev.yaml" in str(caught.value)


@pytest.mark.parametrize("owners", [["123456789012"], ["self", "amazon"], []])
def test_another_account_s_image_has_no_tags_here(owners: list[str]) -> None:
    with pytest.raises(PipelineError, match="shows an image's tags to its owner alone") as caught:
        parse(DEV | {"allowedOwners": owners})
    assert "golden-image:allowedOwners in Pulumi.dev.yaml" in str(caught.value)
    assert parse(DEV | {"allowedOwners": ["self"]}).allowed_owners == ("self",)


@pytest.mark.parametrize("key", provider.REFUSED)
def test_a_key_that_the_provider_alone_would_obey(key: str) -> None:
    with pytest.raises(PipelineError, match=f"aws:{key} would reach the AWS provider alone") as caught:
        parse(DEV, **{key: "hunter2"})
    text = str(caught.value)
    assert f"remove aws:{key} from Pulumi.dev.yaml" in text
    assert "AWS_PROFILE" in text
    assert "hunter2" not in text


def test_keys_of_the_provider_that_split_nothing() -> None:
    assert parse(DEV, defaultTags='{"tags":{"Team":"web"}}', maxRetries="3").region == "eu-west-1"
    with pytest.raises(PipelineError, match=r"aws:regoin is not a known key \(did you mean region\?\)"):
        parse(DEV, regoin="eu-west-1")


@pytest.mark.parametrize("profile", ["a b", "team/prod:admin", "build@corp.example"])
def test_a_profile(profile: str) -> None:
    assert parse(DEV, profile=profile).profile == profile


@pytest.mark.parametrize("profile", [" x", "a\nb", "x" * 129, "\x1b[31m", "a$(id)", "é"])
def test_no_profile(profile: str) -> None:
    with pytest.raises(PipelineError, match="aws:profile is not valid"):
        parse(DEV, profile=profile)


@pytest.mark.parametrize("digits", ["\u0661" * 12, "\uff11" * 12])
def test_digits_of_other_scripts_are_none(digits: str) -> None:
    with pytest.raises(PipelineError, match="allowedOwners is not valid"):
        parse(DEV | {"allowedOwners": [digits]})
    with pytest.raises(PipelineError, match="aws:region is not valid"):
        parse(DEV, region=f"eu-west-{digits[0]}")


def test_a_value_is_quoted_as_far_as_can_be_read() -> None:
    for values in (
        DEV | {"role": "x" * 100_000},
        DEV | {"x" * 100_000: "y"},
        DEV | {"architecture": "x" * 100_000},
    ):
        with pytest.raises(PipelineError) as caught:
            parse(values)
        assert len(str(caught.value)) < 2_000
        assert "100" in str(caught.value), "how long it is"


def test_a_smoke_test_may_have_lines() -> None:
    assert parse(DEV | {"validation": {"smokeTest": "set -e\n\tcurl $X\n"}}).validation.smoke_test is not None
    with pytest.raises(PipelineError, match=r"golden-image:validation.smokeTest is not valid"):
        parse(DEV | {"validation": {"smokeTest": "echo \x1b[31m"}})


def test_a_region_is_required() -> None:
    with pytest.raises(PipelineError, match="aws:region is required"):
        load.parse(config(DEV) | {"aws:region": ""}, stack="dev")


def test_a_list_that_is_no_json() -> None:
    with pytest.raises(PipelineError, match="golden-image:allowedOwners is not valid"):
        load.parse(config(DEV) | {"golden-image:allowedOwners": "[self"}, stack="dev")
