"""The program in a real engine: a refusal is one error, and nothing else is printed."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
GOOD = "config:\n  aws:region: eu-west-1\n  golden-image:channel: prod\n  golden-image:from: candidate\n"

KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}

RETRIED = re.compile(
    r"^ +(?:pulumi:pulumi:Stack golden-image-refused +)?==> AWS: \w+ is tried again for .*\n(?:\n(?= |Resources))?",
    re.MULTILINE,
)
"""This program's word on a call that it makes again."""

FRAME = re.compile(
    r"Previewing update \(refused\):\n"
    r"\n*"
    r" +pulumi:pulumi:Stack golden-image-refused +error: .*\n"
    r" +pulumi:pulumi:Stack golden-image-refused +1 error\n"
    r"Diagnostics:\n"
    r"  pulumi:pulumi:Stack \(golden-image-refused\):\n"
    r"    error: (?P<error>.*(?:\n      .*)*)\n"
    r"\n"
    r"Resources:\n"
    r"    1 errored\n\s*"
)


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Previews a stack with this text as its file; it must be refused. Returns the error, the only thing printed."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "state").mkdir()
    project = folder / "project"
    project.mkdir()
    for name in (
        "__main__.py", "Pulumi.yaml", "Pulumi.README.md", "bin", "components", "pipeline", "packer", ".venv",
    ):  # fmt: skip
        (project / name).symlink_to(PROJECT / name)
    file = project / "Pulumi.refused.yaml"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))} | {
        "PATH": f"{PROJECT}/.venv/bin:{PROJECT}/.tools/bin:{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder}/state",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "XDG_STATE_HOME": str(folder),
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*argv: str, **more: str) -> tuple[int, str]:
        done = subprocess.run(
            ["pulumi", *argv, "--non-interactive", "--color=never"],
            cwd=project, env=env | more, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def refused(text: str, **more: str) -> str:
        file.write_text(text)
        # The engine's dots come from a thread of their own, at any place between the lines (dotSpinner).
        status, output = run("preview", "--stack", "refused", "--suppress-progress", **more)
        assert status != 0
        found = FRAME.fullmatch(RETRIED.sub("", output).replace("1 error; 1 message\n", "1 error\n"))
        assert found, output
        return found["error"]

    status, output = run("stack", "init", "refused")
    assert status == 0, output
    return refused


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            GOOD.replace("channel:", "chanel:"),
            "golden-image:chanel is not a known key (did you mean channel?)",
        ),
        (
            GOOD.replace("  golden-image:from: candidate\n", ""),
            "the stack does not say where its image comes from",
        ),
        (GOOD + "  aws:assumeRole: {roleArn: x}\n", "aws:assumeRole would reach the AWS provider alone"),
        (GOOD + '  golden-image:role: "\\e[31mweb"\n', "golden-image:role is not valid"),
        (GOOD + "  golden-image:image: 2026-01-31\n", "golden-image:image is not valid"),
    ],
)
def test_a_refusal_is_all_that_is_printed(preview: Callable[..., str], text: str, error: str) -> None:
    found = preview(text)
    assert found.startswith(error)
    assert "Pulumi.refused.yaml" in found


def test_a_secret_in_config_is_shown_by_no_preview(preview: Callable[..., str]) -> None:
    token = "AKIA" + "QZ3KLMNP7RSTUVWX"
    text = GOOD.replace("candidate", "bake") + f"  golden-image:bake: {{variables: {{subnet_id: {token}}}}}\n"
    found = preview(text)
    assert "Pulumi.refused.yaml:5: aws-access-token" in found
    assert token not in found, "nor anywhere else: the error is all that is printed"


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({}, "could not (look up|read) the"),
        (
            {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_ENDPOINT_URL": "no-scheme"},
            "AWS_ENDPOINT_URL",
        ),
        (
            {
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            },
            "not reached",
        ),
        ({"AWS_PROFILE": "nobody"}, "nobody"),
    ],
)
def test_aws_that_cannot_be_asked(preview: Callable[..., str], env: dict[str, str], error: str) -> None:
    assert re.search(error, preview(GOOD, **env))
