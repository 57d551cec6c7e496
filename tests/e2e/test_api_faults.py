"""A promotion is safe against the API: what goes wrong there is put right, or told, and never ends half done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.settings import LabSettings
from lab.workbench import Run, Workbench
from tests.e2e.conftest import make_bench, remove_stacks
from tests.e2e.registry import registry

ROLE = "api"
CHANNEL = "prod"
STACK = "prod"


def configure(bench: Workbench, image: str) -> None:
    lines = ["aws:region: eu-west-1", f"golden-image:role: {ROLE}", f"golden-image:channel: {CHANNEL}"]
    text = "".join(f"  {line}\n" for line in [*lines, f"golden-image:image: {image}"])
    bench.stack_file(STACK).write_text(f"config:\n{text}")


def promote(bench: Workbench, image: str) -> Run:
    configure(bench, image)
    return bench.up(STACK)


@dataclass
class Account:
    """The account, and the images in it."""

    bench: Workbench
    images: list[str]

    def template(self) -> str:
        """The image in the newest version of the stack's launch template."""
        found = self.bench.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.bench.outputs(STACK)["launchTemplateId"], Versions=["$Latest"]
        )["LaunchTemplateVersions"][0]
        image: str = found["LaunchTemplateData"]["ImageId"]
        return image

    def check(self, image: str) -> None:
        """Pointer, tag and launch template say the same."""
        assert self.bench.pointer(ROLE, CHANNEL) == image
        assert self.bench.holders(ROLE, CHANNEL) == [image]
        assert self.template() == image


@pytest.fixture(scope="module")
def account(bench: Workbench) -> Account:
    with registry(bench) as images:
        account = Account(bench, images.validated(ROLE, 4))
    assert promote(bench, account.images[0]).status == 0
    account.check(account.images[0])
    return account


@pytest.fixture(autouse=True)
def _well_again(bench: Workbench) -> Iterator[None]:
    yield
    bench.set_faults()


def made_anew(bench: Workbench, up: Callable[[], Run]) -> None:
    """Update a stack whose state has a pointer that is gone: the provider may not find at once what it writes anew."""
    bench.await_reads()
    run = up()
    if run.status != 0:
        assert "the resource did not exist while updating" in run.output
        bench.await_reads()
        assert up().status == 0


def fault(action: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "kind": kind, **more}


def test_an_image_not_found_yet_throttling_and_lost_answers(account: Account) -> None:
    new = account.images[1]
    account.bench.set_faults(
        fault("CreateTags", "error", code="InvalidAMIID.NotFound", times=2),
        fault("CreateTags", "error", code="RequestLimitExceeded", status=503, times=1),
        fault("CreateTags", "lost"),
        fault("PutParameter", "error", code="ThrottlingException", times=2),
        fault("PutParameter", "lost"),
        fault("CreateLaunchTemplateVersion", "error", code="RequestLimitExceeded", status=503, times=1),
        fault("DescribeImages", "error", code="RequestLimitExceeded", status=503, times=2),
    )
    assert promote(account.bench, new).status == 0
    struck = account.bench.struck()
    assert (struck.count("CreateTags"), struck.count("PutParameter")) == (4, 3)
    account.check(new)
    assert account.bench.preview(STACK, "--expect-no-changes").status == 0


def test_an_image_that_aws_rejects_after_the_call_has_returned(account: Account) -> None:
    old, new = account.images[1], account.images[2]
    account.bench.set_faults(fault("PutParameter", "ignored"))
    run = promote(account.bench, new)
    assert run.status != 0
    assert f"channel {CHANNEL} does not hold {new}, though the call to move it succeeded" in run.output
    assert (
        f"/golden-image/{ROLE}/{CHANNEL} holds {old}; tag ImageChannel={CHANNEL}: on no image" in run.output
    )
    assert account.bench.pointer(ROLE, CHANNEL) == old
    assert account.bench.holders(ROLE, CHANNEL) == []
    assert account.template() == old
    account.bench.set_faults()
    assert account.bench.up(STACK).status == 0
    account.check(new)


def test_two_promotions_at_once(account: Account, lab: LabSettings, tmp_path_factory: Any) -> None:
    """The same stack in two places, with a state each: what no lock of Pulumi's keeps apart."""
    now, mine, theirs = account.images[2], account.images[0], account.images[3]
    other = make_bench(lab, tmp_path_factory.mktemp("other"))
    assert promote(other, now).status == 0, "the image that the channel holds already: nothing to overwrite"
    account.bench.set_faults(fault("PutParameter", "hold"))
    configure(account.bench, mine)
    process = account.bench.start(*account.bench.pulumi_argv("up", STACK, "--yes", "--skip-preview"))
    with process:
        while not account.bench.struck():
            assert process.poll() is None
        assert promote(other, theirs).status == 0
        account.bench.set_faults()
        assert process.stdout is not None
        output = process.stdout.read()
    assert process.returncode != 0
    assert f"channel {CHANNEL} was changed by another promotion" in output
    assert theirs in output
    assert account.template() == now, "what follows the channel did not move"

    refused = promote(other, now)
    assert refused.status != 0
    assert "holds an image that this stack did not put there; not overwriting it" in refused.output
    assert mine in refused.output

    assert account.bench.up(STACK).status == 0, "the channel holds what it asks for"
    account.check(mine)
    assert promote(other, mine).status == 0, "taken over by pinning what is there"
    remove_stacks(other)
    # The other stack's removal took the pointer with it.
    made_anew(account.bench, lambda: promote(account.bench, mine))
    account.check(mine)


def test_pages_of_a_proxy_half_answers_and_faults_of_the_server_pass(account: Account) -> None:
    new = next(image for image in account.images if image != account.bench.pointer(ROLE, CHANNEL))
    account.bench.set_faults(
        fault("GetParameterHistory", "html"),
        fault("GetParameterHistory", "cut"),
        fault("LabelParameterVersion", "cut"),
        fault("GetParametersByPath", "html", times=2),
        fault("DescribeParameters", "error", code="InternalServerError", status=500, times=3),
        fault("DescribeImages", "html"),
        fault("DescribeImages", "cut"),
    )
    run = promote(account.bench, new)
    assert run.status == 0
    assert "Traceback" not in run.output
    assert len(account.bench.struck()) == 10
    account.check(new)


def test_a_proxy_that_stays_is_one_error(account: Account) -> None:
    old = account.bench.pointer(ROLE, CHANNEL)
    new = next(image for image in account.images if image != old)
    configure(account.bench, new)
    account.bench.set_faults(fault("GetParameterHistory", "html", times=1000))
    run = account.bench.preview(STACK)
    assert run.status != 0
    assert "what answered was not AWS" in run.output
    assert "HTTPS_PROXY" in run.output
    assert "Traceback" not in run.output
    account.bench.set_faults()
    assert old is not None
    assert promote(account.bench, old).status == 0
    account.check(old)
