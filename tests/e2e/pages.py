"""Pages of docs/how-to/, followed: their files are made, their commands run."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab.workbench import Workbench

FILE = re.compile(r"^`((?:packer/|Pulumi\.)[^`/]*[^`]+)`.*?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def make_files(bench: Workbench, page: str, *, version: str | None = None) -> list[str]:
    """Make the files of a page, each at a line that begins with its name; returns their names.

    Args:
        bench: A working copy.
        page: The page.
        version: The image's, in a stack file that bakes.
    """
    made = []
    for name, content in FILE.findall((bench.folder / page).read_text()):
        path = bench.folder / name
        assert not path.exists(), f"{name} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if name.startswith("Pulumi."):
            _of_this_account(bench, path, version)
        made.append(name)
    assert made
    return made


def _of_this_account(bench: Workbench, path: Path, version: str | None) -> None:
    """A stack file of the page, with what this account has of its own: source image, user, subnet."""
    yaml = YAML(typ="safe", pure=True)
    config: dict[str, Any] = yaml.load(path.read_text())["config"]
    if config["golden-image:from"] == "bake":
        lab = yaml.load(bench.stack_file("dev").read_text())["config"]
        lab["golden-image:bake"]["variables"]["image_version"] = version
        config = {key: lab[key] for key in ("golden-image:bake", "golden-image:validation")} | config
    with bench.stack_file(path.name.split(".")[1]).open("w") as file:
        yaml.dump({"config": config}, file)


def run_commands(bench: Workbench, page: str) -> None:
    """Run the commands of a page where the lab's stack files are."""
    lines = [
        line for block in COMMANDS.findall((bench.folder / page).read_text()) for line in block.splitlines()
    ]
    assert lines
    for line in lines:
        update = re.fullmatch(r"pulumi up --stack (\S+) --yes", line)
        begun = re.fullmatch(r"pulumi stack init (\S+)", line)
        if update or begun:
            # It makes the stack, too, with the lab's salt.
            argv = bench.pulumi_argv("up", (update or begun or [])[1], "--yes", "--skip-preview")
            assert not update or bench.run(*argv).status == 0, line
        else:
            assert bench.run("bash", "-euc", f"cd lab/stacks\n{line}").status == 0, line
