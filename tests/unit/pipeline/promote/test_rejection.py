"""An image whose roll-out failed is refused where it failed and after that, and nowhere else."""

from dataclasses import replace

import pytest

from pipeline.errors import PipelineError
from pipeline.model import pointer_description, returned_description
from pipeline.promote import rejection
from pipeline.promote.select import choose
from tests.unit.pipeline.making import GOOD, REQUEST, Known, image, version

SOURCES = {"prod": "staging", "staging": "qa", "qa": "candidate", "candidate": "bake"}
WHY = "2026-01-31T12:00:00Z Replacing i-1 failed"


class Stages(Known):
    """bake → candidate → qa → staging → prod, each channel with the image in it."""

    def __init__(self, rejected: str, description: str | None = None) -> None:
        self.image = image(tags={**GOOD.tags, "Rejected": rejected})
        texts = {name: pointer_description("web", name, source) for name, source in SOURCES.items()}
        super().__init__(
            self.image,
            pointers=dict.fromkeys(SOURCES, self.image.id),
            histories={
                name: [replace(version(1, self.image.id), description=f"{description or text} (0a1b2c3d)")]
                for name, text in texts.items()
            },
        )


@pytest.mark.parametrize(
    ("rejected_in", "refused", "histories"),
    [
        ("prod", True, []),
        ("staging", True, []),
        ("qa", True, ["staging"]),
        ("candidate", True, ["staging", "qa"]),
        ("after-prod", False, ["staging", "qa", "candidate"]),
    ],
)
def test_in_the_channel_and_those_after_it(rejected_in: str, *, refused: bool, histories: list[str]) -> None:
    account = Stages(f"{rejected_in} {WHY}")
    request = replace(REQUEST, source_channel="staging", upstream="staging")
    for asks in (request, replace(request, pin=GOOD.id, source_channel=None)):
        account.reads.clear()
        if refused:
            with pytest.raises(
                PipelineError, match=f"rejected: its roll-out failed in channel {rejected_in}"
            ):
                choose(asks, account)
        else:
            choose(asks, account)
        assert [read for read in account.reads if read.startswith("history")] == [
            f"history of {name}" for name in histories
        ]


def test_before_the_channel_that_rejected_it_an_image_is_as_good_as_before() -> None:
    choose(replace(REQUEST, channel="staging", source_channel="qa", upstream="qa"), Stages(f"prod {WHY}"))


def test_the_refusal_has_tag_reason_and_ways_out() -> None:
    with pytest.raises(PipelineError) as caught:
        choose(replace(REQUEST, source_channel="staging", upstream="staging"), Stages(f"prod {WHY}"))
    text = str(caught.value)
    assert f"seen:    tag Rejected: prod {WHY}" in text
    assert "neither channel prod nor one before it" in text
    assert "promote a good image into channel staging, or pin one with golden-image:image in" in text
    assert f"`python -m pipeline restore {GOOD.id}`, then `pulumi up`" in text


def test_a_channel_that_was_returned_says_still_where_it_takes_images_from() -> None:
    text = returned_description(
        "web", "staging", "qa", failed="ami-0000000a", to="ami-0000000b", word="0a1b2c3d"
    )
    account = Stages(f"qa {WHY}", text.removesuffix(" (0a1b2c3d)"))
    with pytest.raises(PipelineError, match="in channel qa"):
        choose(replace(REQUEST, source_channel="staging", upstream="staging"), account)


def test_an_image_without_the_tag_costs_no_read() -> None:
    account = Stages("x")
    assert not rejection.applies(account, GOOD, role="web", channel="prod", source="staging")
    assert account.reads == []


@pytest.mark.parametrize("tag", ["", " by hand"])
def test_a_tag_that_names_no_channel_holds_everywhere(tag: str) -> None:
    with pytest.raises(PipelineError, match="has been rejected: its roll-out failed\n"):
        choose(REQUEST, Stages(tag))


def test_channels_that_take_from_each_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "candidate", "prod")
    assert list(rejection.upward(Stages("x"), "web", "prod", "staging")) == [
        "prod", "staging", "qa", "candidate",
    ]  # fmt: skip


def test_an_image_that_a_stack_has_baked_itself() -> None:
    baked = replace(
        REQUEST, stack_file="Pulumi.dev.yaml", channel="candidate", source_channel=None, upstream=None
    )
    account = Stages(f"candidate {WHY}")
    refusal = rejection.refusal_of_baked(account, baked, account.image)
    assert refusal is not None
    assert f"the image of this stack's present content {GOOD.id} has been rejected" in refusal.what
    assert "golden-image:bake.serial in Pulumi.dev.yaml" in str(refusal)
    assert f"restore {GOOD.id}" in str(refusal)
    assert rejection.refusal_of_baked(account, replace(baked, channel="other"), account.image) is None
    assert account.reads == []
