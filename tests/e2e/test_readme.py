"""README.md's block "On AWS", run as it is printed; the account, its endpoint and its stack files are the lab's."""

import os
import re

from lab.workbench import PROJECT, Workbench
from tests.e2e.test_docs import ROLE, own_values

STATE = "s3://example-golden-image-state?region=eu-west-1"
"""The one value of the block that is the account's: where the state is."""

PASSPHRASE = "a long passphrase of your own"


def block(text: str) -> str:
    """The indented block below the heading."""
    section = text.split("\n## On AWS\n")[1].split("\n## ", maxsplit=1)[0]
    [found] = re.findall(r"(?:^    .*\n)+", section, flags=re.MULTILINE)
    return re.sub(r"^    ", "", found, flags=re.MULTILINE)


def test_the_block_works_as_printed(bench: Workbench) -> None:
    bench.set_version("9.1.0")
    for stack in ("dev", "prod"):
        (bench.folder / f"Pulumi.{stack}.yaml").write_text(own_values(bench, stack))
    bench.commit("This account's stack files")
    # As it is after a clone. Pulumi, Packer and the plugins are on the machine; nothing of the project is on PATH.
    (bench.folder / ".venv").unlink()
    path = bench.env["PATH"].split(os.pathsep)
    bench.env["PATH"] = os.pathsep.join(entry for entry in path if entry != str(PROJECT / ".venv/bin"))
    # Nobody sits at the terminal to answer yes.
    bench.env |= {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "PULUMI_SKIP_CONFIRMATIONS": "true"}

    commands = block((bench.folder / "README.md").read_text())
    assert STATE in commands
    assert PASSPHRASE in commands
    commands = commands.replace(STATE, bench.env["PULUMI_BACKEND_URL"])
    run = bench.run("bash", "-euc", f"unset PULUMI_BACKEND_URL PULUMI_CONFIG_PASSPHRASE\n{commands}")
    assert run.status == 0

    dev, prod = bench.outputs("dev"), bench.outputs("prod")
    assert (
        bench.pointer(ROLE, "candidate") == bench.pointer(ROLE, "prod") == dev["imageId"] == prod["imageId"]
    )
    changed = bench.run("git", "diff", "--numstat", "Pulumi.dev.yaml", "Pulumi.prod.yaml").output
    assert changed == "1\t0\tPulumi.dev.yaml\n1\t0\tPulumi.prod.yaml\n", "one line each: the salt"
