"""Makes the previews again that the golden notes are rendered from, with the real Pulumi in the lab.

Usage: python -m tests.record_previews   (root, some minutes; then look at the golden notes' difference:
GOLDEN_UPDATE=1 python -m pytest tests/unit/pipeline/review)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from lab import reserved, surroundings
from lab import settings as lab_settings
from lab.workbench import PROJECT, Run, Workbench, lab_of
from pipeline.aws.account import Account
from pipeline.processes import hear
from pipeline.review import preview as previews

FOLDER = PROJECT / "tests/unit/pipeline/review/previews"
KEPT_OUTPUTS = ("insecureValue", "latestVersion")
"""What a note reads of a state; the rest (logs, paths of this machine) is left out."""


def state(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """A resource's state without what is of this machine and this moment."""
    if found is None:
        return None
    outputs = found.get("outputs") or {}
    if found["type"] != "pulumi:pulumi:Stack":
        outputs = {name: outputs[name] for name in KEPT_OUTPUTS if name in outputs}
    return {"type": found["type"], "inputs": found.get("inputs") or {}, "outputs": outputs}


def step(found: dict[str, Any]) -> dict[str, Any]:
    """A step of a preview, likewise."""
    states = {name: state(found.get(name)) for name in ("oldState", "newState")}
    return {"op": found["op"], "urn": found["urn"], **{name: one for name, one in states.items() if one}}


def must(run: Run) -> None:
    """Insist on success."""
    if run.status != 0:
        raise SystemExit(run.output[-3000:])


def record(bench: Workbench, stack: str, name: str) -> None:
    """Keep a preview, and what AWS knows at that moment."""
    argv = bench.pulumi_argv("preview", stack, "--json")
    done = subprocess.run(argv, cwd=bench.folder, env=bench.env, capture_output=True, text=True, check=False)
    digest = json.loads(done.stdout)
    digest["steps"] = [step(found) for found in digest.get("steps") or []]
    told = [entry for entry in digest.get("diagnostics") or [] if entry["severity"] != "info#err"]
    digest["diagnostics"] = told
    digest.pop("duration", None)
    account = Account(region="eu-west-1")
    found = previews.parse(stack, json.dumps(digest))
    reachable = "AWS was not reached" not in done.stdout
    history = (
        account.channels.history("web", found.config.get("golden-image:channel", "")) if reachable else []
    )
    world = {
        "stack": stack,
        "now": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "images": [asdict(image) for image in account.images.ours()] if reachable else [],
        "history": [{**asdict(entry), "when": entry.when.isoformat()} for entry in history],
        "preview": digest,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(
        json.dumps(world, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )
    print(f"{name}: {len(digest['steps'])} steps, status {done.returncode}", flush=True)


def story(bench: Workbench) -> None:
    """All of them."""
    record(bench, "dev", "first-deployment")
    must(bench.up("dev"))
    must(bench.up("prod"))
    record(bench, "prod", "nothing-to-do")
    bench.edit("packer/roles/web/defaults/main.yml", r"\Z", "# a change of the role\n")
    bench.set_version("1.1.0")
    record(bench, "dev", "new-image-dev")
    must(bench.up("dev"))
    record(bench, "prod", "new-image-prod")
    must(bench.up("prod"))
    file = str(bench.stack_file("prod"))
    must(bench.run("python", "-m", "pipeline", "rollback", "prod", "--config-file", file))
    record(bench, "prod", "rollback")
    before = config_of(bench)["golden-image:image"]
    pin = r"golden-image:image: .*"
    bench.edit("lab/stacks/Pulumi.prod.yaml", pin, "golden-image:image: ami-0123456789abcdef0")
    record(bench, "prod", "refused-pin")
    of_group(bench, before)
    bench.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    record(bench, "prod", "failed-preview")


def of_group(bench: Workbench, before: str) -> None:
    """Those of a stage that gets a group, and whose machines then go back to the image before."""
    config = config_of(bench)
    config["golden-image:fleet"]["group"] = {
        "minSize": 3, "maxSize": 6, "subnetIds": [lab_settings.SUBNET_ID],
        "targetGroupArns": [surroundings.target_group(bench.settings)], "refresh": {"warmupSeconds": 1},
    }  # fmt: skip
    del config["golden-image:image"]
    bench.stack_file("prod").write_text(yaml.safe_dump({"config": config}))
    record(bench, "prod", "first-group")
    must(bench.up("prod"))
    config["golden-image:image"] = before
    bench.stack_file("prod").write_text(yaml.safe_dump({"config": config}))
    record(bench, "prod", "roll-out")


def config_of(bench: Workbench) -> dict[str, Any]:
    """What prod's stack file says."""
    found: dict[str, Any] = yaml.safe_load(bench.stack_file("prod").read_text())["config"]
    return found


def main() -> int:
    """Record in a lab of its own, which is gone afterwards."""
    hear(signal.SIGINT, signal.SIGTERM)
    settings = lab_of("bench")
    with reserved.own(settings, wait=False):
        bench = Workbench(settings, Path(settings.state_dir) / "record", echo=False)
        os.environ.update({name: bench.env[name] for name in bench.env if name.startswith("AWS_")})
        story(bench)
    return 0


if __name__ == "__main__":
    sys.exit(main())
