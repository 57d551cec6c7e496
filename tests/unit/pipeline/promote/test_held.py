"""What follows a pointer waits until it holds the image, and nobody else's promotion is overwritten in silence."""

import time
from typing import Any

import pytest

from pipeline import plans
from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.promote import held, pointer
from pipeline.promote.promotion import Promotion
from pipeline.promote.standing import Standing, label
from tests.unit.pipeline.promote.making import REGION, Aws, plan, slow

WORD, EARLIER = "4e5f6a7b", "1a2b3c4d"
MINE, YS = label("prod", WORD), label("dev", "8c9d0e1f")


@pytest.fixture
def account(aws: None, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(held, "POLL_SECONDS", 0)
    return Aws()


def claimed(account: Aws) -> dict[str, Any]:
    """What a claim returns that looks now."""
    found = pointer.Pointer("prod", "web", "prod", channels=Account(region=REGION).channels).standing()
    seen = found.seen
    return {"version": seen.version, "when": seen.when, "label": WORD, "displaces": found.image_id}


def run(image: str, claim: dict[str, Any]) -> dict[str, Any]:
    return held.run(plan("prod", image, claim=claim))


def test_a_pointer_that_holds_the_image_gets_the_label_and_no_other(account: Aws) -> None:
    old, new = account.image("old"), account.image("new")
    account.point("prod", old, label=YS)
    claim = claimed(account)
    account.point("prod", new, word=WORD)
    found = run(new, claim)
    assert (found["imageId"], found["version"], found["previousImage"]) == (new, 2, old)
    assert account.labels() == {2: [MINE]}


def test_a_return_that_goes_on_gets_no_label_yet(account: Aws) -> None:
    old, new = account.image("old"), account.image("new")
    account.point("prod", new, label=MINE)
    claim = claimed(account)
    account.point("prod", old, word=WORD)
    found = held.run(plan("prod", old, claim=claim, returns=True))
    assert (found["imageId"], found["previousImage"]) == (old, new)
    assert account.labels() == {1: [MINE]}


def test_a_pointer_that_is_written_after_the_call_was_answered(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = account.image("old"), account.image("new")
    account.point("prod", old)
    claim = claimed(account)
    waits = slow(monkeypatch, lambda: account.point("prod", new, word=WORD))
    assert run(new, claim)["version"] == 2
    assert len(waits) == 3


def test_a_write_of_an_earlier_update_that_shows_first_is_not_this_ones(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one failed after its call and before its write: without a wait, the second one would have no label."""
    old, new = account.image("old"), account.image("new")
    account.point("prod", old, label=MINE)
    claim = claimed(account)
    account.point("prod", new, word=EARLIER)
    waits = slow(monkeypatch, lambda: account.point("prod", new, word=WORD))
    assert run(new, claim)["version"] == 3
    assert len(waits) == 3
    assert account.labels() == {3: [MINE]}


def test_a_history_that_lags_behind_the_first_promotion(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = account.image("new")
    claim = claimed(account)
    account.point("prod", new, word=WORD)
    real = Promotion.of(plans.Held.from_json(plan("prod", new, claim={}))).pointer.standing
    waits: list[float] = []
    empty = Standing(stack="prod", role="web", channel="prod", record=[])
    monkeypatch.setattr(pointer.Pointer, "standing", lambda self: real() if len(waits) > 1 else empty)
    monkeypatch.setattr(time, "sleep", waits.append)
    assert run(new, claim)["previousImage"] is None
    assert len(waits) == 2


def test_a_pointer_that_does_not_move(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = account.image("old", "prod"), account.image("new")
    account.point("prod", old)
    waits = slow(monkeypatch, lambda: None)
    with pytest.raises(PipelineError, match=f"channel prod does not hold {new}") as caught:
        run(new, claimed(account))
    assert len(waits) == held.PATIENCE_SECONDS
    assert "though the call to move it succeeded" in str(caught.value)
    assert f"now: /golden-image/web/prod holds {old}; tag ImageChannel=prod: {old}" in str(caught.value)
    assert account.labels() == {}


def test_an_answer_that_was_lost_and_a_second_write_of_the_same(account: Aws) -> None:
    old, new = account.image("old"), account.image("new")
    account.point("prod", old)
    claim = claimed(account)
    for _ in range(2):
        account.point("prod", new, word=WORD)
    assert run(new, claim)["version"] == 3
    assert account.labels() == {3: [MINE]}


def test_a_read_that_does_not_show_what_the_claim_saw_is_not_somebody_elses_promotion(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, new = (account.image(name) for name in ("first", "second", "new"))
    account.point("prod", first)
    earlier = pointer.Pointer("prod", "web", "prod", channels=Account(region=REGION).channels).standing()
    account.point("prod", second)
    claim = claimed(account)
    account.point("prod", new, word=WORD)
    real = pointer.Pointer.standing
    answers = iter([earlier])
    monkeypatch.setattr(pointer.Pointer, "standing", lambda self: next(answers, None) or real(self))
    assert run(new, claim)["version"] == 3


@pytest.mark.parametrize(
    "order",
    ["theirs mine", "mine theirs", "mine theirs mine", "mine theirs theirs mine"],
)
def test_two_promotions_at_once(account: Aws, order: str) -> None:
    old, mine, theirs = account.image("old"), account.image("mine", "prod"), account.image("theirs", "prod")
    account.point("prod", old)
    claim = claimed(account)
    for who in order.split():
        account.point("prod", {"mine": mine, "theirs": theirs}[who], word=WORD if who == "mine" else "")
    with pytest.raises(PipelineError, match="channel prod was changed by another promotion") as caught:
        run(mine, claim)
    assert theirs in str(caught.value)
    tagged = {image for image in (mine, theirs) if account.channel(image) == "prod"}
    assert tagged == {mine if order.endswith("mine") else theirs}, "not on what the pointer does not hold"
    assert account.labels() == {}


def test_somebody_elses_is_there_while_this_one_is_still_being_written(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pointer will hold this one's image: the lookup by tag must not find the other."""
    old, mine, theirs = account.image("old"), account.image("mine"), account.image("theirs", "prod")
    account.point("prod", old)
    claim = claimed(account)
    account.point("prod", theirs, label=YS)
    slow(monkeypatch, lambda: account.point("prod", mine, word=WORD))
    with pytest.raises(PipelineError, match="channel prod was changed by another promotion") as caught:
        run(mine, claim)
    assert f"version 3: {mine}" in str(caught.value)
    assert account.channel(theirs) is None


def test_somebody_elses_tag_that_a_list_does_not_show_yet(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs has been promoted to the end a moment ago; what a hand wrote last is no image of ours."""
    old, mine, theirs = account.image("old"), account.image("mine"), account.image("theirs", "prod")
    account.point("prod", old)
    claim = claimed(account)
    for image in (theirs, "ami-00000000000000000", mine):
        account.point("prod", image, word=WORD if image == mine else "")
    monkeypatch.setattr(Promotion, "tagged", lambda self: {})
    taken: list[str] = []
    real = Promotion.untag

    def untag(self: Promotion, image_id: str, channel: str) -> None:
        taken.append(image_id)
        real(self, image_id, channel)

    monkeypatch.setattr(Promotion, "untag", untag)
    with pytest.raises(PipelineError, match="channel prod was changed by another promotion"):
        run(mine, claim)
    assert account.channel(theirs) is None
    assert taken == [theirs]


def test_somebody_elses_is_there_and_this_one_is_never_written(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, mine, theirs = account.image("old"), account.image("mine"), account.image("theirs", "prod")
    account.point("prod", old)
    claim = claimed(account)
    account.point("prod", theirs, label=YS)
    waits = slow(monkeypatch, lambda: None)
    with pytest.raises(PipelineError, match="channel prod was changed by another promotion"):
        run(mine, claim)
    assert len(waits) == held.PATIENCE_SECONDS
    assert account.channel(theirs) == "prod"


def test_a_write_of_the_same_image_that_shows_later_gets_the_label(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a stack without state, or with another description: else its own version looks like somebody else's."""
    image = account.image("same")
    account.point("prod", image, label=MINE)
    claim = claimed(account)
    slow(monkeypatch, lambda: account.point("prod", image, word=WORD))
    assert run(image, claim)["version"] == 2
    assert account.labels() == {2: [MINE]}


def test_a_second_write_after_the_same_claim_gets_the_label(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider read the pointer as it was before its write, and so writes it again in the next update."""
    old, image = account.image("old"), account.image("new")
    account.point("prod", old, label=MINE)
    claim = claimed(account)
    account.point("prod", image, word=WORD)
    assert run(image, claim)["version"] == 2
    slow(monkeypatch, lambda: account.point("prod", image, word=WORD))
    assert run(image, claim)["version"] == 3
    assert 3 in account.labels()
    assert 2 not in account.labels()


def test_a_channel_that_nobody_writes_gets_the_label_after_a_while(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = account.image("same")
    account.point("prod", image)
    waits = slow(monkeypatch, lambda: None)
    assert run(image, claimed(account))["version"] == 1
    assert len(waits) == held.QUIET_SECONDS
    assert account.labels() == {1: [MINE]}


def test_the_version_that_the_provider_saw_is_waited_for(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = account.image("same")
    account.point("prod", account.image("old"))
    claim = claimed(account)
    account.point("prod", image, word=WORD)
    slow(monkeypatch, lambda: account.point("prod", image, word=WORD))
    assert held.run(plan("prod", image, claim=claim, pointerVersion=3))["version"] == 3
    assert account.labels() == {3: [MINE]}


def test_a_version_that_the_state_has_of_a_pointer_that_was_deleted_is_not_waited_for(
    account: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = account.image("same")
    account.point("prod", image)
    waits = slow(monkeypatch, lambda: None)
    assert held.run(plan("prod", image, claim=claimed(account), pointerVersion=8))["version"] == 1
    assert len(waits) == held.QUIET_SECONDS


def test_a_channel_that_was_made_anew_between_the_look_and_the_write(account: Aws) -> None:
    """Its versions begin at 1 again, so that numbers alone show nothing."""
    old, mine, theirs = account.image("old"), account.image("mine"), account.image("theirs")
    for _ in range(5):
        account.point("prod", old)
    claim = claimed(account)
    account.ssm.delete_parameter(Name="/golden-image/web/prod")
    account.point("prod", theirs)
    account.point("prod", mine, word=WORD)
    with pytest.raises(PipelineError, match="channel prod was changed by another promotion"):
        run(mine, claim)


def test_nothing_is_written_that_is_there_already(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    new = account.image("new")
    account.point("prod", new, label=MINE)
    monkeypatch.setattr(pointer.Pointer, "attach", None)
    assert run(new, claimed(account))["version"] == 1
    assert account.labels() == {1: [MINE]}


def test_a_label_that_is_not_a_stacks_stays(account: Aws) -> None:
    old, new = account.image("old"), account.image("new")
    account.point("prod", old, label="release")
    claim = claimed(account)
    account.point("prod", new, word=WORD)
    run(new, claim)
    assert account.labels() == {1: ["release"], 2: [MINE]}


@pytest.mark.parametrize("key", ["region", "role", "channel", "imageId"])
def test_an_incomplete_plan(key: str) -> None:
    with pytest.raises(PipelineError, match=f"lacks '{key}'"):
        held.run({name: value for name, value in plan("prod", "ami-1").items() if name != key})
