"""Which image a stack promotes, and why it may not."""

from dataclasses import replace

import pytest

from pipeline.errors import PipelineError
from pipeline.model import Image
from pipeline.promote.select import choose
from tests.unit.pipeline.making import GOOD as IMAGE
from tests.unit.pipeline.making import REQUEST as PROD
from tests.unit.pipeline.making import Known

REQUEST = replace(PROD, upstream=None)


def test_what_the_channel_holds() -> None:
    account = Known(IMAGE, pointers={"candidate": IMAGE.id})
    found = choose(REQUEST, account)
    assert (found.image, found.origin) == (IMAGE, "channel candidate")
    assert account.reads == ["web/candidate", IMAGE.id]


def test_a_pin_asks_no_channel() -> None:
    account = Known(IMAGE, pointers={"candidate": IMAGE.id})
    assert choose(replace(REQUEST, pin=IMAGE.id), account).origin == "pin"
    assert account.reads == [IMAGE.id]


def test_an_empty_channel() -> None:
    with pytest.raises(PipelineError, match="channel candidate holds no image for role web yet"):
        choose(REQUEST, Known(IMAGE))


@pytest.mark.parametrize(
    ("image", "message", "seen"),
    [
        (None, "does not exist in this region", "no such image"),
        (replace(IMAGE, allowed_owner=False), "account that is not allowed", "owner 111122223333"),
        (replace(IMAGE, state="pending"), "is not available", "state pending"),
        (replace(IMAGE, tags={**IMAGE.tags, "Revoked": "CVE-1"}), "has been revoked", "CVE-1"),
        (replace(IMAGE, tags={**IMAGE.tags, "Role": "db"}), "is not made for this role", "Role: db"),
        (replace(IMAGE, tags={"Validated": "x"}), "is not made for this role", "no tag Role"),
        (replace(IMAGE, architecture="arm64"), "has another architecture", "arm64"),
        (replace(IMAGE, architecture=""), "has another architecture", "seen:    none"),
        (replace(IMAGE, tags={"Role": "web"}), "never passed a validation", "no tag Validated"),
    ],
)
@pytest.mark.parametrize("pin", [None, IMAGE.id])
def test_refused(image: Image | None, message: str, seen: str, pin: str | None) -> None:
    with pytest.raises(PipelineError, match=message) as caught:
        choose(
            replace(REQUEST, pin=pin), Known(*([image] if image else []), pointers={"candidate": IMAGE.id})
        )
    error = str(caught.value)
    assert seen in error
    assert "golden-image:image in Pulumi.prod.yaml" in error
    assert ("the pinned image" if pin else "the image in channel candidate") in error
