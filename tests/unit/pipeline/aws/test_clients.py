"""Calls to AWS are made again until a time, whatever AWS's bad day is like; and what it was is told by its name."""

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import aws
from pipeline.aws import patience
from pipeline.aws.account import Account
from pipeline.aws.patience import BRIEF, LONG, SHORT, Patience
from pipeline.cli.app import main
from pipeline.errors import PipelineError
from tests.unit.pipeline.stub import Endpoint, endpoint

REGION = "eu-west-1"
IMAGE = "ami-0123456789abcdef0"
XML, JSON = "text/xml", "application/x-amz-json-1.1"
POINTER = (200, JSON, json.dumps({"Parameter": {"Name": "p", "Value": IMAGE}}).encode())
_BODY = (
    b"<DescribeImagesResponse><imagesSet><item><imageId>ami-0123456789abcdef0</imageId></item></imagesSet>"
    b"</DescribeImagesResponse>"
)
IMAGES = (200, XML, _BODY)
HTML = (200, "text/html", b"<!DOCTYPE html><html><body>Please log in to the proxy</body></html>")
TIDY_HTML = (200, "text/html", b"<html><body>Please log in</body></html>")
OFTEN = Patience(seconds=300)
ONCE = Patience(seconds=0)
UNANSWERED = {"read": 0.5}
"""Seconds of the silence that ends a call; a machine may be too slow to answer within them."""


SILENCE = (0, "", None)


def cut(answer: tuple[int, str, bytes]) -> tuple[int, str, bytes]:
    """The first half of it."""
    return answer[0], answer[1], answer[2][: len(answer[2]) // 2]


def failing(code: str, status: int) -> tuple[int, str, bytes]:
    """An error of SSM."""
    return status, JSON, json.dumps({"__type": code, "message": "as it is"}).encode()


def failing_ec2(code: str, status: int, message: str = "as it is") -> tuple[int, str, bytes]:
    """An error of EC2."""
    text = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
    return status, XML, text.encode()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with endpoint() as told:
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL", told.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.01)
        yield told


def pointer(patience: Patience) -> str | None:
    return Account(region=REGION, patience=patience).channels.image_id("web", "prod")


def image(patience: Patience) -> str | None:
    found = Account(region=REGION, patience=patience).images.find(IMAGE)
    return found.id if found else None


@pytest.mark.parametrize(
    "bad",
    [
        failing("ThrottlingException", 400),
        failing("InternalServerError", 500),
        (503, "text/html", b"<!DOCTYPE html><html>out of order</html>"),
        (502, "text/plain", b""),
        (200, JSON, None),
        cut(POINTER),
        HTML,
        (200, "application/json", b'{"error": "blocked"}'),
        (200, JSON, b""),
    ],
    ids=["throttled", "500", "503 page", "502", "lost", "cut", "page", "other JSON", "nothing"],
)
def test_what_passes_is_waited_for_with_ssm(stub: Endpoint, bad: Any) -> None:
    stub.answers = [bad, bad, POINTER]
    assert pointer(OFTEN) == IMAGE
    assert stub.calls == 3


def test_silence_is_waited_for(stub: Endpoint) -> None:
    stub.answers = [SILENCE, SILENCE, POINTER]
    assert pointer(Patience(seconds=300, **UNANSWERED)) == IMAGE
    assert stub.calls >= 3


def test_silence_is_told_by_its_name(stub: Endpoint) -> None:
    stub.answers = [SILENCE]
    with pytest.raises(PipelineError, match="AWS was not reached") as caught:
        pointer(Patience(seconds=0, **UNANSWERED))
    assert "AWS_ENDPOINT_URL" in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        failing_ec2("RequestLimitExceeded", 503),
        failing_ec2("InternalError", 500),
        cut(IMAGES),
        HTML,
        TIDY_HTML,
    ],
    ids=["throttled", "500", "cut", "page", "tidy page"],
)
def test_what_passes_is_waited_for_with_ec2(stub: Endpoint, bad: Any) -> None:
    stub.answers = [bad, bad, IMAGES]
    assert image(OFTEN) == IMAGE
    assert stub.calls == 3


def test_patience_ends_by_time_and_not_by_calls(stub: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: sum(waits)))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.5)
    stub.answers = [failing("InternalServerError", 500)]
    with pytest.raises(PipelineError, match="out of order"):
        pointer(Patience(seconds=20))
    assert sum(waits) == pytest.approx(20)
    assert stub.calls == len(waits) + 1 > 5


def test_a_step_waits_for_minutes_and_a_preview_does_not() -> None:
    assert LONG.seconds >= 180
    # The last try may begin just before the end.
    for short in (SHORT, BRIEF):
        assert short.seconds + short.connect + short.read <= 40
        tries = 1 + short.seconds // short.read
        assert tries * short.read + short.connect < 30, "an endpoint that never answers"


@pytest.mark.parametrize(
    ("answer", "what", "cure"),
    [
        (
            failing("ThrottlingException", 400),
            "AWS throttled the calls to read the pointer",
            "in some minutes",
        ),
        (failing("InternalServerError", 500), "AWS is out of order", "later"),
        (failing("ServiceUnavailable", 503), "AWS is out of order", "later"),
        (failing("AccessDeniedException", 400), "the identity may not read the pointer", "policies"),
        (failing("ExpiredTokenException", 400), "the credentials have expired", "log in again"),
        (failing("UnrecognizedClientException", 400), "AWS does not know the credentials", "aws:profile"),
        (failing("InvalidSignatureException", 400), "the secret key is wrong", "clock"),
        (failing("RequestExpired", 400), "the request's time is not AWS's", "clock"),
        (failing("ValidationException", 400), "AWS refused to read the pointer", "what AWS says"),
        (HTML, "what answered was not AWS", "HTTPS_PROXY"),
        (cut(POINTER), "what answered was not AWS", "HTTPS_PROXY"),
        ((200, JSON, None), "AWS was not reached", "AWS_ENDPOINT_URL"),
    ],
)
def test_the_cause_is_told_by_its_name(stub: Endpoint, answer: Any, what: str, cure: str) -> None:
    stub.answers = [answer]
    with pytest.raises(PipelineError) as caught:
        pointer(ONCE)
    assert what in caught.value.what
    assert cure in (caught.value.change or "")
    assert "max retries: 0" not in str(caught.value)
    if what not in ("AWS does not know the credentials", "the secret key is wrong"):
        assert "aws:profile" not in str(caught.value), "credentials are blamed for what is not their fault"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("UnauthorizedOperation", "the identity may not look up the image"),
        ("AuthFailure", "AWS does not know the credentials"),
        ("RequestLimitExceeded", "AWS throttled the calls"),
        ("RequestExpired", "the request's time is not AWS's"),
        ("InvalidParameterValue", "AWS refused to look up the image"),
    ],
)
def test_the_same_of_ec2(stub: Endpoint, code: str, what: str) -> None:
    stub.answers = [failing_ec2(code, 400)]
    with pytest.raises(PipelineError) as caught:
        image(ONCE)
    assert what in caught.value.what


def test_what_does_not_pass_is_asked_once(stub: Endpoint) -> None:
    stub.answers = [failing("AccessDeniedException", 400)]
    with pytest.raises(PipelineError):
        pointer(OFTEN)
    assert stub.calls == 1


def test_a_want_of_capacity_is_no_fault_of_the_server(stub: Endpoint) -> None:
    stub.answers = [failing_ec2("InsufficientInstanceCapacity", 500)]
    with (
        pytest.raises(PipelineError, match="AWS refused to start"),
        aws.asking("start it", region=REGION),
    ):
        aws.client("ec2", region=REGION, patience=OFTEN).start_instances(InstanceIds=["i-0123456789abcdef0"])
    assert stub.calls == 1


def test_a_long_message_is_cut(stub: Endpoint) -> None:
    stub.answers = [failing_ec2("UnauthorizedOperation", 403, "Encoded: " + "x" * 5000)]
    with pytest.raises(PipelineError) as caught:
        image(ONCE)
    assert len(caught.value.seen or "") < 1000


def test_an_endpoint_that_is_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:5000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(PipelineError, match="the endpoint's address is not valid") as caught:
        pointer(ONCE)
    assert "AWS_ENDPOINT_URL" in str(caught.value)


def test_credentials_whose_end_has_passed(stub: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "test")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2026-01-31T12:00:00Z")
    with pytest.raises(PipelineError, match="the credentials have expired"):
        pointer(ONCE)


@pytest.mark.parametrize("bad", [HTML, cut(POINTER)], ids=["page", "cut"])
def test_a_step_ends_in_one_error(
    stub: Endpoint, bad: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answers = [bad]
    monkeypatch.setattr("pipeline.promote.promotion.LONG", ONCE)
    plan = {"region": REGION, "role": "web", "channel": "prod", "imageId": IMAGE, "label": "0a1b2c3d"}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(plan)))
    monkeypatch.setattr(sys, "argv", ["pipeline", "claim"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "error: could not read the history of /golden-image/web/prod: what answered was not AWS"
    )
    assert "Traceback" not in said


def test_all_clients_are_made_in_one_place() -> None:
    root = Path(__file__).parents[4]
    files = [*(root / "pipeline").rglob("*.py"), *(root / "components").rglob("*.py"), root / "__main__.py"]
    makers = [
        file for file in files if re.search(r"create_client|\bboto3\b\.", file.read_text(encoding="utf-8"))
    ]
    assert makers == [root / "pipeline" / "aws" / "clients.py"]
