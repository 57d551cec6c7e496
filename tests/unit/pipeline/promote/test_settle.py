"""Tags follow pointers, whoever did what before."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.model import Held, pointer_description, pointer_source
from pipeline.promote import pointer, settle
from pipeline.promote.promotion import Promotion
from pipeline.promote.standing import label
from tests.unit.pipeline.promote import making
from tests.unit.pipeline.promote.making import REGION, Aws


def held(channel: str, image_id: str, source: str | None, minute: int = 0) -> Held:
    since = datetime(2026, 1, 31, 12, minute, tzinfo=UTC)
    return Held(channel=channel, image_id=image_id, since=since, source=source)


CANDIDATE, STAGING, PROD = ("candidate", "bake"), ("staging", "candidate"), ("prod", "staging")


def stage(stage: tuple[str, str], image_id: str, minute: int = 0) -> Held:
    return held(stage[0], image_id, stage[1], minute)


def test_the_stage_furthest_from_the_bake_names_an_image() -> None:
    found = settle.wanted_tags([stage(PROD, "a", 1), stage(STAGING, "a", 2), stage(CANDIDATE, "a", 3)])
    assert found == {"a": "prod"}


def test_each_its_own() -> None:
    found = settle.wanted_tags([stage(PROD, "a"), stage(STAGING, "b"), stage(CANDIDATE, "c")])
    assert found == {"a": "prod", "b": "staging", "c": "candidate"}


def test_of_equals_the_latest() -> None:
    assert settle.wanted_tags([held("x", "a", "bake", 2), held("y", "a", "bake", 1)]) == {"a": "x"}


def test_a_circle_ends() -> None:
    circle = [held("x", "a", "y"), held("y", "b", "x")]
    assert settle.wanted_tags(circle) == {"a": "x", "b": "y"}


@pytest.mark.parametrize(("source", "read"), [("candidate", "candidate"), ("bake", "bake"), (None, None)])
def test_a_pointer_says_its_source(source: str | None, read: str | None) -> None:
    text = pointer_description("web", "prod", source)
    assert pointer_source(text) == read
    assert pointer_source(f"{text} (0a1b2c3d)") == read


def test_a_description_of_somebody_else() -> None:
    assert pointer_source("the image of prod") is None


@pytest.fixture
def account(aws: None, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(pointer, "POLL_SECONDS", 0)
    monkeypatch.setattr(pointer, "LAG_SECONDS", 0.1)
    return Aws()


def plan(channel: str, image: str, source: str = "candidate") -> dict[str, Any]:
    return making.plan(channel, image, source=source, when="2099-01-31T12:00:00+00:00")


def test_the_displaced_image_loses_it_and_what_is_not_ours_stays(account: Aws) -> None:
    old, new = account.image("old", "prod"), account.image("new", "candidate")
    failed, foreign = account.image("failed", "candidate"), account.image("foreign", "qa")
    other = account.image("other", "prod", role="db")
    account.point("prod", new, "candidate")
    account.point("candidate", new, "bake")
    settle.run(plan("prod", new))
    assert account.channel(new) == "prod"
    assert account.channel(old) is None
    assert account.channel(failed) is None, "a candidate that no channel holds is none"
    assert account.channel(foreign) == "qa"
    assert account.channel(other) == "prod", "another role's"


def test_going_back_gives_an_earlier_stage_its_name_back(account: Aws) -> None:
    old, new = account.image("old"), account.image("new", "prod")
    account.point("candidate", new, "bake")
    account.point("prod", old, "candidate")
    settle.run(plan("prod", old))
    assert (account.channel(old), account.channel(new)) == ("prod", "candidate")


def test_leaving(account: Aws) -> None:
    image = account.image("image", "prod")
    account.point("candidate", image, "bake")
    account.point("prod", image, "candidate")
    settle.leave(plan("prod", image))
    assert account.channel(image) == "candidate"
    settle.leave(plan("candidate", image))
    assert account.channel(image) == "prod", "as long as its pointer is there"


def test_a_pointer_that_somebody_else_has_moved_meanwhile(account: Aws) -> None:
    mine, theirs = account.image("mine", "prod"), account.image("theirs")
    account.point("prod", theirs, "candidate")
    with pytest.raises(PipelineError, match="somebody else has moved channel prod") as caught:
        settle.run(plan("prod", mine))
    assert (account.channel(mine), account.channel(theirs)) == (None, None)
    assert f"now: /golden-image/web/prod holds {theirs}; tag ImageChannel=prod: on no image" in str(
        caught.value
    )


def test_a_pointer_that_somebody_else_moves_between_the_look_and_the_tag(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose own promotion has then failed, and has taken the tag: from the image that gets it here again."""
    mine, theirs = account.image("mine", "prod"), account.image("theirs")
    account.point("prod", mine, "candidate")
    real = Promotion.held

    def meanwhile(self: Promotion) -> list[Held]:
        account.point("prod", theirs, "candidate")
        self.take_tag(but=theirs)
        return real(self)

    monkeypatch.setattr(Promotion, "held", meanwhile)
    with pytest.raises(PipelineError, match="somebody else has moved channel prod"):
        settle.run(plan("prod", mine))
    assert (account.channel(mine), account.channel(theirs)) == (None, None)


def test_a_read_that_lags_behind_the_write(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = account.image("old"), account.image("new", "prod")
    account.point("prod", old)
    earlier = pointer.Pointer("prod", "web", "prod", channels=Account(region=REGION).channels).standing()
    account.point("prod", new)
    real = pointer.Pointer.standing
    answers = iter([earlier, earlier])
    monkeypatch.setattr(pointer.Pointer, "standing", lambda self: next(answers, None) or real(self))
    settle.run(plan("prod", new))
    assert account.channel(new) == "prod"


def test_a_list_of_images_that_does_not_show_the_new_tag_yet(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is in prod as well; the provider has just put staging's tag in the place of prod's."""
    image = account.image("image", "staging")
    account.point("staging", image, "candidate")
    account.point("prod", image, "staging")
    monkeypatch.setattr(Promotion, "tagged", lambda self: {image: "prod"})
    settle.run(plan("staging", image))
    assert account.channel(image) == "prod"


def test_a_list_of_images_that_does_not_show_the_tag_to_be_taken_yet(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = account.image("mine", "prod"), account.image("theirs")
    account.point("prod", theirs, "candidate")
    monkeypatch.setattr(Promotion, "tagged", lambda self: {})
    with pytest.raises(PipelineError, match="somebody else has moved channel prod"):
        settle.run(plan("prod", mine))
    assert account.channel(mine) is None


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str | None]], None]:
    """Lets the list of pointers lag behind: channel to the image that it still shows, or None."""

    def set_to(shown: Mapping[str, str | None]) -> None:
        real = Promotion.held

        def listed(self: Promotion) -> list[Held]:
            found = {one.channel: one for one in real(self)}
            moved = {channel: image for channel, image in shown.items() if image is not None}
            found |= {channel: replace(found[channel], image_id=image) for channel, image in moved.items()}
            return [one for one in found.values() if shown.get(one.channel, "") is not None]

        monkeypatch.setattr(Promotion, "held", listed)

    return set_to


@pytest.mark.parametrize("shown", ["the earlier image", "nothing"])
def test_a_list_of_pointers_that_does_not_show_the_promotion_yet(account: Aws, late: Any, shown: str) -> None:
    old, new = account.image("old"), account.image("new", "prod")
    account.point("prod", new, "candidate")
    late({"prod": old if shown == "the earlier image" else None})
    settle.run(plan("prod", new))
    assert (account.channel(old), account.channel(new)) == (None, "prod")


@pytest.mark.parametrize("shown", ["the earlier image", "nothing"])
def test_a_list_of_pointers_that_does_not_show_another_channels_promotion_yet(
    account: Aws, late: Any, shown: str
) -> None:
    old, new, prod = account.image("old"), account.image("new", "candidate"), account.image("prod", "prod")
    account.point("candidate", new, "bake")
    account.point("prod", prod, "candidate")
    late({"candidate": old if shown == "the earlier image" else None})
    settle.run(plan("prod", prod))
    assert [account.channel(image) for image in (old, new, prod)] == [None, "candidate", "prod"]


def test_a_list_of_pointers_that_still_shows_the_channel_that_is_left(account: Aws) -> None:
    image = account.image("image", "prod")
    account.point("prod", image, "candidate")
    settle.leave(plan("prod", image))
    assert account.channel(image) is None


def test_a_channel_that_somebody_else_has_moved_is_not_removed(account: Aws) -> None:
    mine, theirs = account.image("mine"), account.image("theirs", "prod")
    account.point("prod", mine, label=label("prod", "0a1b2c3d"))
    account.point("prod", theirs)
    with pytest.raises(PipelineError, match="which somebody else has moved") as caught:
        settle.leave(plan("prod", mine))
    assert "`python -m pipeline adopt prod --version 2`, then `pulumi destroy` again" in str(caught.value)
    assert account.channel(theirs) == "prod"
    account.ssm.label_parameter_version(
        Name="/golden-image/web/prod", ParameterVersion=2, Labels=[label("prod", "acknowledged")]
    )
    settle.leave(plan("prod", mine))
    assert account.channel(theirs) is None


def test_a_removal_whose_read_does_not_show_the_label_yet(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = account.image("image", "prod")
    account.point("prod", account.image("earlier"), "candidate", label=label("prod", "4e5f6a7b"))
    account.point("prod", image, "candidate")
    real = pointer.Pointer.standing
    found = pointer.Pointer("prod", "web", "prod", channels=Account(region=REGION).channels)
    answers = iter([found.standing()] * 2)
    found.attach(2, label("prod", "0a1b2c3d"))
    monkeypatch.setattr(pointer.Pointer, "standing", lambda self: next(answers, None) or real(self))
    settle.leave(plan("prod", image))
    assert account.channel(image) is None


def test_a_plan_of_a_project_that_left_no_labels(account: Aws) -> None:
    """What a state has that was never updated since."""
    image = account.image("image", "prod")
    account.point("prod", image, "candidate")
    settle.leave({key: plan("prod", image)[key] for key in ("region", "role", "channel", "imageId")})
    assert account.channel(image) is None


def test_the_log_says_what_has_been_done_and_not_before(
    account: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = account.image("old", "prod"), account.image("new", "prod")
    account.point("prod", new, "candidate")
    real = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def denied(self: Any, operation: str, arguments: Any) -> Any:
        if operation == "DeleteTags":
            raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, operation)
        return real(self, operation, arguments)

    with monkeypatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", denied)
        with pytest.raises(PipelineError) as caught:
            settle.run(plan("prod", new))
    assert capsys.readouterr().err == ""
    assert f"tag ImageChannel=prod: {', '.join(sorted([old, new]))}" in str(caught.value)
    settle.run(plan("prod", new))
    removed, recorded = capsys.readouterr().err.splitlines()
    assert removed == f"==> settle: removed {old} from channel prod"
    assert recorded == f"==> settle: added {new} to the record of channel prod"
    settle.run(plan("prod", new))
    assert capsys.readouterr().err == "", "nothing is written that is there already"


def test_an_image_that_did_not_pass_is_withdrawn(account: Aws) -> None:
    failed, good = account.image("failed", "candidate"), account.image("good", "candidate")
    account.point("candidate", good, "bake")
    for image in (failed, good):
        settle.withdraw(Account(region=REGION), image, role="web")
    assert (account.channel(failed), account.channel(good)) == (None, "candidate")


@pytest.mark.parametrize("key", ["region", "role", "channel", "imageId"])
def test_an_incomplete_plan(key: str) -> None:
    with pytest.raises(PipelineError, match=f"lacks '{key}'"):
        settle.run({name: value for name, value in plan("prod", "ami-1").items() if name != key})
