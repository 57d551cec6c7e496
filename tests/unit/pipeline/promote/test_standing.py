"""Whether a channel stands where its stack left it."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.model import PointerVersion, returned_description
from pipeline.promote.standing import Seen, Standing, label
from pipeline.record import KEPT_VERSIONS
from tests.unit.pipeline.making import NOON, standing, version

MINE, EARLIER, OTHERS = (label("prod", word) for word in ("0a1b2c3d", "4e5f6a7b", "8c9d0e1f"))
YS = label("dev", "8c9d0e1f")


def claimed(found: Standing, image_id: str, word: str = "0a1b2c3d") -> dict[str, Any]:
    """What a claim for an image returned that found this."""
    seen = found.seen
    return {
        "imageId": image_id,
        "displaces": found.image_id,
        "version": seen.version,
        "when": seen.when,
        "label": word,
    }


def test_a_version_labelled_by_this_stack() -> None:
    found = standing("a", ("b", MINE))
    assert (found.word, found.moved) == ("0a1b2c3d", False)
    assert found.refusal("c") is None


def test_a_write_that_came_twice_as_its_answer_was_lost() -> None:
    """The second one after the label."""
    mine, again = (
        replace(version(number, "b", *labels), description="d (0a1b2c3d)")
        for number, labels in ((2, [MINE]), (3, []))
    )
    found = standing(("a", EARLIER), mine, again)
    assert (found.word, found.moved) == ("0a1b2c3d", False)
    assert found.may_replace("c", claimed(standing("a"), "b"))
    others: tuple[PointerVersion, ...] = (
        replace(again, image_id="c"),
        replace(again, description="d (8c9d0e1f)"),
        replace(again, labels=(YS,)),
    )
    for other in others:
        assert standing("a", mine, other).moved
    assert standing("a", mine, replace(again, version=3, image_id="c"), replace(again, version=4)).moved
    assert standing("a", ("b", MINE), "b").moved, "no word: nothing says whose it is"


def test_two_updates_one_right_after_the_other_of_which_the_first_ones_write_was_labelled() -> None:
    """Both asked for one image, and SSM wrote both late: the second one came after the label."""
    first = replace(version(2, "b", MINE), description="d (4e5f6a7b)")
    second = replace(version(3, "b"), description="d (0a1b2c3d)")
    assert standing("a", first, second).word == "0a1b2c3d"
    assert standing("a", first, replace(second, description="d (8c9d0e1f)")).moved
    assert standing("a", first, replace(second, image_id="c")).moved


OLD, BAD, GOOD = "ami-0000000a", "ami-0000000b", "ami-0000000c"


def returned(number: int, *labels: str, word: str = "0a1b2c3d", source: str = "candidate") -> PointerVersion:
    """A version by which the channel went back from a bad image to the one before."""
    text = returned_description("web", "prod", source, failed=BAD, to=OLD, word=word)
    return replace(version(number, OLD, *labels), description=text)


def test_a_return_that_is_not_labelled_yet_is_of_the_stack_whose_image_failed() -> None:
    found = standing(OLD, (BAD, MINE), returned(3))
    last = claimed(standing((OLD, EARLIER)), BAD)
    assert (found.word, found.moved, found.signed) == ("0a1b2c3d", False, False)
    for image in (OLD, GOOD):
        assert found.refusal(image) is None
        assert found.may_replace(image, last)
    theirs = replace(found, stack="dev")
    assert theirs.moved
    assert theirs.refusal(GOOD) is not None
    assert not theirs.may_replace(GOOD, claimed(standing(OLD), OLD, "8c9d0e1f"))


def test_a_return_that_was_written_twice() -> None:
    assert standing(OLD, (BAD, MINE), returned(3), returned(4)).word == "0a1b2c3d"
    assert standing(OLD, (BAD, MINE), returned(3), replace(returned(4), image_id=GOOD)).moved


def test_a_finished_return_and_what_comes_after_it() -> None:
    found = standing(OLD, BAD, returned(3, MINE))
    last = claimed(standing((OLD, EARLIER)), BAD)
    assert (found.word, found.moved, found.signed) == ("0a1b2c3d", False, True)
    for image in (OLD, GOOD):
        assert found.refusal(image) is None
        assert found.may_replace(image, last)
    assert not found.may_replace(GOOD, claimed(standing(OLD), BAD, "8c9d0e1f")), "another state"


@pytest.mark.parametrize(
    "record",
    [
        # Before the return, after it, and after it was finished.
        (OLD, (BAD, MINE), "x", returned(4)),
        (OLD, (BAD, MINE), returned(3), "x"),
        (OLD, BAD, returned(3, MINE), "x"),
        (OLD, (BAD, YS), returned(3)),
        (OLD, (BAD, MINE), returned(3, word="8c9d0e1f")),
        (OLD, ("x", MINE), returned(3)),
    ],
)
def test_a_foreign_write_beside_a_return_is_refused(record: Any) -> None:
    found = standing(*record)
    last = claimed(standing((OLD, EARLIER)), BAD)
    assert found.moved
    assert found.refusal(GOOD) is not None
    assert not found.may_replace(GOOD, last)


@pytest.mark.parametrize("stack", ["pro", "prod.x", "dev"])
def test_names_that_begin_alike_are_other_stacks(stack: str) -> None:
    assert standing(("a", label(stack, "0a1b2c3d"))).word is None


@pytest.mark.parametrize(
    "found",
    [
        standing(("a", MINE), ("b", YS)),
        standing(("a", MINE), "b"),
        standing("a", ("b", YS)),
        # Deleted and made anew by another stack, whose numbers begin at 1.
        standing(("b", YS)),
    ],
)
def test_a_preview_refuses_what_somebody_else_wrote(found: Standing) -> None:
    refusal = found.refusal("c", "Pulumi.prod.yaml")
    assert refusal is not None
    text = str(refusal)
    latest = found.record[0].version
    assert "channel prod holds an image that this stack did not put there; not overwriting it" in text
    assert (
        f"/golden-image/web/prod version {latest}: b, written 2026-01-31 12:0{latest - 1}:00 UTC by arn:x"
        in text
    )
    assert f"python -m pipeline adopt prod --version {latest}" in text
    assert "to keep b: `golden-image:image: b` in Pulumi.prod.yaml, then `pulumi up`" in text


def test_a_preview_accepts_what_holds_the_image_already_or_was_acknowledged() -> None:
    assert standing(("a", MINE), ("b", YS)).refusal("b") is None
    assert standing(("a", MINE), ("b", YS, label("prod", "acknowledged"))).refusal("c") is None
    assert standing().refusal("c") is None


def test_an_acknowledgement_goes_no_further_than_its_version() -> None:
    assert standing(("a", MINE), ("b", label("prod", "acknowledged")), "x").refusal("c") is not None
    assert standing(("a", MINE), ("b", label("dev", "acknowledged"))).refusal("c") is not None


def test_the_step_knows_its_own_label_exactly() -> None:
    last = claimed(standing("z"), "a")
    assert standing("z", ("a", MINE)).may_replace("c", last)
    assert not standing("z", ("a", OTHERS)).may_replace("c", last), "a stack of that name with another state"


def test_after_a_write_that_failed() -> None:
    before = standing(("a", EARLIER))
    last = claimed(before, "b")
    assert before.may_replace("b", last)
    assert before.may_replace("c", last)
    assert not standing(("a", EARLIER), "o").may_replace("b", last), "somebody else wrote since"
    assert not standing("a", ("o", YS)).may_replace("b", last)


def test_after_a_write_that_was_not_labelled() -> None:
    last = claimed(standing(("a", EARLIER)), "b")
    assert standing(("a", EARLIER), "b", "b").may_replace("c", last)
    assert not standing(("a", EARLIER), "o", "b").may_replace("c", last)
    assert not standing(("a", EARLIER), ("b", YS)).may_replace("c", last), "taken over by another stack"


def test_a_pointer_that_was_made_anew() -> None:
    last = claimed(standing("z", ("a", MINE)), "a")
    assert not standing(version(1, "o", minute=9), version(2, "o", minute=10)).may_replace("c", last)
    assert not standing(version(1, "z", minute=8), version(2, "o", minute=9)).may_replace("c", last)


def test_after_an_update_by_a_project_that_left_no_labels() -> None:
    last = {"imageId": "a", "displaces": "z", "version": 1}
    assert standing("z", "a").may_replace("c", last)
    assert standing("z").may_replace("c", last), "its write failed"
    assert not standing("a", "o").may_replace("c", last)
    assert not standing(("o", YS), "a").may_replace("c", last)


def test_nothing_is_known_without_a_state() -> None:
    assert standing().may_replace("c", {})
    assert standing("c").may_replace("c", {})
    assert not standing("a").may_replace("c", {})
    assert not standing(("a", MINE)).may_replace("c", {})


def test_since() -> None:
    def images(found: list[PointerVersion]) -> str:
        return "".join(entry.image_id for entry in found)

    record = standing("a", "b", "c")
    assert images(record.since(Seen(version=0, when=""))) == "abc"
    assert images(record.since(standing("a").seen)) == "bc"
    assert images(record.since(record.seen)) == ""
    anew = standing(version(1, "o", minute=9), version(2, "c", minute=10))
    assert images(anew.since(record.seen)) == "oc"
    assert images(anew.since(standing("a").seen)) == "oc", "the same number, another time"
    assert images(standing("a", "b").since(record.seen)) == "", "a read that lags behind"


@pytest.mark.parametrize(
    ("held", "minute", "previous"),
    [("a", 0, None), ("aa", 0, None), ("ab", 1, "a"), ("abb", 1, "a"), ("abab", 3, "a"), ("aba", 2, "b")],
)
def test_since_when_and_what_before(held: str, minute: int, previous: str | None) -> None:
    assert standing(*held).tenure() == (NOON.replace(minute=minute), previous)


def test_a_label_on_the_oldest_version_of_a_full_record() -> None:
    others = ["a"] * (KEPT_VERSIONS - 1)
    blocked = standing(("a", "release"), *others[:-1], ("a", MINE)).refusal("c")
    assert blocked is not None
    assert (
        "unlabel-parameter-version --name /golden-image/web/prod --parameter-version 1 --labels release"
        in str(blocked)
    )
    assert standing(("a", "release"), *others[:-1], ("a", MINE)).refusal("a") is None, "nothing to write"
    assert standing(("a", YS), *others[:-1], ("a", MINE)).refusal("c") is None, "the claim takes it away"
    assert standing(("a", "release"), ("a", MINE)).refusal("c") is None, "there is room"


def test_a_label_fits() -> None:
    assert len(label("s" * 100, "acknowledged")) <= 100
