"""A channel is moved only from where its stack left it, and its tag goes first."""

import json
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.operate import adopt
from pipeline.promote import claim, pointer
from pipeline.promote.standing import label
from pipeline.record import KEPT_VERSIONS
from tests.unit.pipeline.promote.making import REGION, Aws, plan

MINE = label("prod", "0a1b2c3d")
YS = label("dev", "8c9d0e1f")


@pytest.fixture
def account(aws: None, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.delenv(claim.PREVIOUS, raising=False)
    monkeypatch.setattr(pointer, "POLL_SECONDS", 0)
    monkeypatch.setattr(pointer, "LAG_SECONDS", 0.1)
    return Aws()


def run(image: str) -> dict[str, Any]:
    return claim.run(plan("prod", image, label="4e5f6a7b"))


def before(monkeypatch: pytest.MonkeyPatch, returned: dict[str, Any]) -> None:
    monkeypatch.setenv(claim.PREVIOUS, json.dumps(returned))


def refused(image: str) -> str:
    with pytest.raises(PipelineError) as caught:
        run(image)
    text = str(caught.value)
    assert "channel prod holds an image that this stack did not put there; not overwriting it" in text
    return text


def test_a_channel_that_holds_nothing(account: Aws) -> None:
    new = account.image("new")
    assert run(new) == {"imageId": new, "displaces": None, "version": 0, "when": "", "label": "4e5f6a7b"}


def test_one_that_holds_the_image_already_also_without_state(account: Aws) -> None:
    new = account.image("new", "prod")
    account.point("prod", new, label=YS)
    found = run(new)
    assert (found["displaces"], found["version"]) == (new, 1)
    assert account.channel(new) == "prod"
    assert account.labels() == {1: [YS, label("prod", "4e5f6a7b")]}, "taken over"


def test_a_role_that_may_not_label_is_refused_before_anything_moves(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = account.image("old", "prod"), account.image("new")
    account.point("prod", old)
    before(monkeypatch, {"imageId": old, "displaces": None, "version": 0})
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def denied(self: Any, operation: str, arguments: Any) -> Any:
        if operation == "LabelParameterVersion":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
        return real(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", denied)
    with pytest.raises(PipelineError, match="AccessDenied"):
        run(new)
    assert account.channel(old) == "prod"


def test_the_earlier_image_loses_the_tag_before_the_pointer_moves(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, foreign = (
        account.image("old", "prod"),
        account.image("new", "candidate"),
        account.image("foreign", "qa"),
    )
    first = run(old)
    account.point("prod", old, label=label("prod", first["label"]))
    before(monkeypatch, first)
    assert run(new)["displaces"] == old
    assert [account.channel(image) for image in (old, new, foreign)] == [None, "candidate", "qa"]


def test_what_the_log_says_has_been_done(account: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is of a call that has succeeded."""
    old, new = account.image("old", "prod"), account.image("new")
    account.point("prod", new)
    account.ec2.deregister_image(ImageId=new)
    run(new)
    assert capsys.readouterr().err == f"==> claim: removed {old} from channel prod\n"


def test_one_that_somebody_else_moved(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    old, other, new = account.image("old"), account.image("other"), account.image("new")
    first = run(old)
    account.point("prod", old, label=label("prod", first["label"]))
    before(monkeypatch, first)
    account.point("prod", other)
    account.ec2.create_tags(Resources=[other], Tags=[{"Key": "ImageChannel", "Value": "prod"}])
    text = refused(new)
    assert f"version 2: {other}, written 20" in text
    assert "python -m pipeline adopt prod --version 2" in text, "the way out"
    assert f"now: /golden-image/web/prod holds {other}; tag ImageChannel=prod: {other}" in text
    assert account.channel(other) == "prod"


def test_a_read_that_lags_behind_the_label(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = account.image("old"), account.image("new")
    before(monkeypatch, run(old))
    account.point("prod", account.image("older"), label=YS)
    account.point("prod", old)
    earlier = pointer.Pointer("prod", "web", "prod", channels=Account(region=REGION).channels).standing()
    account.ssm.label_parameter_version(
        Name="/golden-image/web/prod", ParameterVersion=2, Labels=[label("prod", "4e5f6a7b")]
    )
    real = pointer.Pointer.standing
    answers = iter([earlier, earlier])
    monkeypatch.setattr(pointer.Pointer, "standing", lambda self: next(answers, None) or real(self))
    assert run(new)["displaces"] == old


def test_without_a_state(account: Aws) -> None:
    account.point("prod", account.image("other"))
    assert "version 1" in refused(account.image("new"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A stack file of the channel."""
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(
        f"config:\n  aws:region: {REGION}\n  golden-image:role: web\n"
        "  golden-image:channel: prod\n  golden-image:from: candidate\n"
    )
    return file


def test_a_read_that_does_not_show_yet_what_a_person_has_seen(
    account: Aws, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    account.point("prod", account.image("old"), label=MINE)
    earlier = pointer.Pointer("prod", "web", "prod", channels=Account(region=REGION).channels).standing()
    other = account.image("other")
    account.point("prod", other, label=YS)
    real = pointer.Pointer.standing
    answers = iter([earlier, earlier])
    monkeypatch.setattr(pointer.Pointer, "standing", lambda self: next(answers, None) or real(self))
    assert adopt.run(stack="prod", config_file=file, version=2).image_id == other
    assert label("prod", "acknowledged") in account.labels()[2]


def test_what_a_person_has_confirmed(account: Aws, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    other, new = account.image("other"), account.image("new")
    account.point("prod", other, label=YS)
    with pytest.raises(PipelineError, match="channel prod is not at version 2"):
        adopt.run(stack="prod", config_file=file, version=2)
    assert adopt.run(stack="prod", config_file=file, version=1).image_id == other
    claimed = run(new)
    assert claimed["displaces"] == other
    before(monkeypatch, claimed)
    account.point("prod", other)
    refused(new)


def test_a_label_of_a_stack_on_the_oldest_version_does_not_keep_the_next_one_out(account: Aws) -> None:
    old, new = account.image("old"), account.image("new")
    account.point("prod", old, label=YS)
    for _ in range(KEPT_VERSIONS - 1):
        account.point("prod", old)
    account.ssm.label_parameter_version(
        Name="/golden-image/web/prod", ParameterVersion=KEPT_VERSIONS, Labels=[label("prod", "acknowledged")]
    )
    run(new)
    assert account.point("prod", new) == KEPT_VERSIONS + 1


def test_a_label_of_a_person_there_is_told_before_anything_changes(account: Aws) -> None:
    old, new = account.image("old", "prod"), account.image("new")
    account.point("prod", old, label="release")
    for _ in range(KEPT_VERSIONS - 1):
        account.point("prod", old)
    account.ssm.label_parameter_version(
        Name="/golden-image/web/prod", ParameterVersion=KEPT_VERSIONS, Labels=[label("prod", "acknowledged")]
    )
    with pytest.raises(PipelineError, match="version 1 has the label release"):
        run(new)
    assert account.channel(old) == "prod"


@pytest.mark.parametrize("returned", ["{", "[]", '{"imageId": "ami-1"}'])
def test_a_state_that_is_not_ours(account: Aws, monkeypatch: pytest.MonkeyPatch, returned: str) -> None:
    monkeypatch.setenv(claim.PREVIOUS, returned)
    with pytest.raises(PipelineError, match="the state of promotion-claim is not readable"):
        run("ami-1")


@pytest.mark.parametrize("key", ["region", "role", "channel", "imageId"])
def test_an_incomplete_plan(key: str) -> None:
    with pytest.raises(PipelineError, match=f"lacks '{key}'"):
        claim.run({name: value for name, value in plan("prod", "ami-1").items() if name != key})
