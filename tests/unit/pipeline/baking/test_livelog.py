"""What is shown of Packer's log while it runs: no secret, and everything else."""

import io
import os
import threading
import time
from typing import IO

import pytest

from pipeline.baking import livelog, packer
from pipeline.baking.livelog import Live, Redactor
from pipeline.errors import PipelineError
from pipeline.scanning import gitleaks
from tests import secret_forms

PREFIX = "    web-base.amazon-ebs.web-base: "
KEYS = ("rsa-pem", "pkcs8-pem", "openssh", "pgp-armored", "putty")
WORD = "Ab3dE6gH9" + "jKlMn2"
PUTTY = """PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: app
Public-Lines: 1
AAAAC3NzaC1lZDI1NTE5
Private-Lines: 2
{}
c2hvcnQ=
Private-MAC: {}
"""


def key(form: str) -> list[str]:
    """The lines of a private key, as a command prints them."""
    if form == "putty":
        return PUTTY.format("QUJD" * 16, "0f" * 20).splitlines()
    [text] = [secret.content.decode() for secret in secret_forms.secrets(1) if secret.form == form]
    return text.splitlines()


def inner(lines: list[str]) -> list[str]:
    """Those of a key that make it one."""
    begin = next(
        n for n, line in enumerate(lines) if "PRIVATE KEY" in line or line.startswith("Private-Lines")
    )
    return [line for line in lines[begin + 1 : -1] if line.strip() and ": " not in line]


def shown(text: bytes, capsys: pytest.CaptureFixture[str]) -> list[str]:
    Live(io.BytesIO(text), "packer.log").show()
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("form", KEYS)
@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ('"', '",'), ("+", ""), ("Nov 27 10:00:0{} web app[7]: ", "")],
    ids=["plain", "list", "diff", "journal"],
)
@pytest.mark.parametrize("size", [5, 1000], ids=["in-parts", "at-once"])
def test_a_key_of_several_lines(form: str, before: str, after: str, size: int) -> None:
    lines = key(form)
    around = ["TASK [web : Copy] ****", "ok: [default]", *lines, "TASK [web : Next] ***", "done"]
    raw = [
        f"{PREFIX}{before.format(number % 10)}{line}{after}" if line in lines else f"{PREFIX}{line}"
        for number, line in enumerate(around)
    ]
    redactor = Redactor()
    left = [
        line for start in range(0, len(raw), size) for line in redactor.redacted(raw[start : start + size])
    ]
    for line in inner(lines):
        assert line not in "\n".join(left)
    assert sum("[private-key]" in line for line in left) == 1
    assert left[:2] == raw[:2]
    assert left[-2:] == raw[-2:]
    assert all(line.startswith(PREFIX) for line in left)


def test_a_key_without_an_end_hides_nothing_else() -> None:
    lines = ["run: grep -----BEGIN " + "RSA PRIVATE KEY-----", "ok: [default]", "changed", ""]
    assert Redactor().redacted(lines)[1:] == lines[1:]
    cut = [*key("rsa-pem")[:5], "fatal: [default]: FAILED!", "end"]
    assert Redactor().redacted(cut) == ["[private-key]", *cut[5:]]


def test_a_key_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livelog, "KEY_LINES", 10)
    endless = [key("rsa-pem")[0], *["QUJD" * 16] * 30]
    assert Redactor().redacted(endless)[-1] == endless[-1]


def test_values_of_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    word = WORD
    printed = f"""==> web-base: TASK [web : Say] ***
    web-base: ok: [default] => {{"stdout": "{{\\"password\\": \\"{word}1\\"}}"}}
    web-base: DB_PASSWORD={word}2
    web-base: Authorization: Bearer {word}{word}
    web-base: 42 packages, 3 changed
    web-base: it was {word}2 again
""".encode()
    lines = shown(printed, capsys)
    assert len(lines) == 6
    assert word not in "\n".join(lines)
    assert lines[0] == "==> web-base: TASK [web : Say] ***"
    assert lines[2] == "    web-base: DB_PASSWORD=[password]"
    assert lines[4] == "    web-base: 42 packages, 3 changed"
    assert lines[5] == "    web-base: it was [password] again"


def test_a_value_that_was_recognised_before() -> None:
    redactor = Redactor()
    redactor.redacted([f"DB_PASSWORD={WORD}"])
    assert redactor.redacted([f"login as {WORD}"]) == ["login as [password]"]


def test_a_line_is_shown_while_more_may_come(capsys: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream, os.fdopen(write, "wb", buffering=0) as source:
        live = Live(stream, "packer.log")
        thread = threading.Thread(target=live.show)
        thread.start()
        source.write(b"==> web-base: it begins\n")
        told, ends = "", time.monotonic() + 60
        while "it begins" not in told:
            assert time.monotonic() < ends
            told += capsys.readouterr().err
            time.sleep(0.01)
        source.write(b"==> web-base: the end, without a line end")
        source.close()
        thread.join()
    assert capsys.readouterr().err == "==> web-base: the end, without a line end\n"


def test_without_gitleaks_nothing_is_shown_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(text: str) -> dict[str, str]:
        raise PipelineError("gitleaks could not scan")

    monkeypatch.setattr(gitleaks, "recognised", fails)
    (told,) = shown(b"one\ntwo\n", capsys)
    assert told.startswith("==> bake: 2 lines of Packer's are not shown: ")
    assert told.endswith("gitleaks could not scan; they are in packer.log")


def test_an_interruption_loses_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, *rest = key("rsa-pem")
    stream: IO[bytes] = io.BytesIO("\n".join([begin, *rest, "after"]).encode())
    live = Live(stream, "packer.log")
    with monkeypatch.context() as patched:

        def interrupted(text: str) -> dict[str, str]:
            raise KeyboardInterrupt

        patched.setattr(gitleaks, "recognised", interrupted)
        with pytest.raises(KeyboardInterrupt):
            live.show()
    live.show()
    assert capsys.readouterr().err.splitlines() == ["[private-key]", "after"]


def test_the_error_at_the_end_has_no_part_of_a_key() -> None:
    lines = key("rsa-pem")
    log = "\n".join(f"==> web-base: {line}" for line in ["it begins", *lines])
    error = packer._failure(1, log, packer.state_folder("key") / "packer.log", 60)
    assert error.seen is not None
    assert not [line for line in inner(lines) if line in error.seen]
    assert "it begins" in error.seen
