"""Command lines that nobody would type: a status, one message, and never a traceback."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import net
from pipeline.cli.app import app
from tools.checks import PROJECT

LINES = int(os.environ.get("GOLDEN_IMAGE_MUTATIONS", "40"))
"""Command lines a command; `GOLDEN_IMAGE_MUTATIONS=5000` for a long look."""

COMMANDS: dict[str, list[list[str]]] = {
    "rollback": [["prod"], ["prod", "ami-0123456789abcdef0"]],
    "revoke": [["ami-0123456789abcdef0", "--reason", "bad"]],
    "restore": [["ami-0123456789abcdef0"]],
    "adopt": [["prod", "--version", "3"]],
    "held": [[]],
    "retire": [["--days", "7", "--settled-days", "7", "--history", "3", "--cap", "10"]],
    "note": [["prod", "--preview", "prod=preview.json"]],
    "about": [["prod"]],
    "keygen": [[]],
    "claim": [[]],
    "settle": [[]],
    "leave": [[]],
    "validate": [[]],
    "roll-out": [[]],
    "rollout": [["prod"], ["prod", "--return"]],
}
JUNK = (
    "", " ", "-", "--", "---", "-x", "--json", "--yes", "--region", "--profile", "--config-file", "--help", "nothing",
    "999999999999", "-1", "9" * 5000, "1.5", "nan", "0x10", "\u0661", "true", "ami-", "ami-0123456789abcdef0 ",
    "\x1b[31mred", "\u202e", "a\nb", "x" * 10_000, "../../etc/passwd", "/dev/null", ".", "$(touch effect)", "`id`",
    "{{ 7 * 7 }}", "[red]", "%s", "--days=999999999999", "--cap=-5", "--reason=", "--reason=a\tb\x07", "prod=.",
    "prod=/dev/null", "=", "prod=", "--post", "gitlab", "github", "--project=<!-- -->", "\udc80",
)  # fmt: skip


def mutated(line: list[str], dice: random.Random) -> list[str]:
    for _ in range(dice.randint(0, 3)):
        at = dice.randrange(len(line) + 1)
        match dice.randrange(4):
            case 0:
                line = [*line[:at], dice.choice(JUNK), *line[at:]]
            case 1:
                line = [*line[:at], *line[at + 1 :]]
            case 2 if at < len(line):
                line = [*line[:at], dice.choice(JUNK), *line[at + 1 :]]
            case _:
                line = [*line[:at], *dice.choices(JUNK, k=2), *line[at:]]
    return line


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: None) -> Path:
    """A folder with stack files, an account with nothing in it, no forge, and no Pulumi."""
    for name in ("Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    (tmp_path / "preview.json").write_text('{"config": {"aws:region": "eu-west-1"}, "steps": []}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GITLAB_", "CI_"))]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_mutated_command_line(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    seen: set[int] = set()
    for number in range(LINES):
        seed = f"{command}.{number}"
        dice = random.Random(seed)  # reproducible
        line = mutated(dice.choice(COMMANDS[command]), dice)
        monkeypatch.setattr(sys, "argv", ["pipeline", command, *line])
        with Path(os.devnull).open() as nothing:
            monkeypatch.setattr(sys, "stdin", nothing)
            status = net.run(app)
        shown = capsys.readouterr()
        text = shown.out + shown.err
        assert "Traceback" not in text, f"seed {seed}: {line!r}"
        assert "does not know" not in text, f"seed {seed}: {line!r}: {text}"
        assert status in (0, 1, 2), f"seed {seed}: {line!r}"
        assert status == 0 or text.strip(), f"seed {seed}: {line!r}: it says why"
        # The framework's own words on wrong usage repeat what was typed.
        assert status == 2 or not {"\x07", "\x1b", "\u202e"} & set(text), f"seed {seed}: {line!r}"
        seen.add(status)
    assert len(seen) > 1, "some are refused"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "option",
    ["--days=999999999999", "--settled-days=999999999999", "--history=999999999999", "--cap=999999999999"],
)
def test_a_number_beyond_what_can_be_counted(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "retire", "--region", "eu-west-1", option],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "less than or equal to" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_is_looked_at() -> None:
    names = {info.name or getattr(info.callback, "__name__", "") for group in app.registered_groups
             for info in _commands(group)}  # fmt: skip
    assert names - set(COMMANDS) == {"bake", "doctor"}, "a bake runs Packer; doctor has its own tests"


def _commands(group: Any) -> list[Any]:
    found: list[Any] = group.typer_instance.registered_commands
    return found
