"""An ordinary image raises no false alarm: nothing of it is in an allow-list, and it becomes the candidate."""

import json
from pathlib import Path

from lab.workbench import Workbench
from tests import ordinary
from tests.e2e.forge import Forge

DEV = "lab/stacks/Pulumi.dev.yaml"


def test_applications_of_python_and_node_pass(bench: Workbench, tmp_path: Path) -> None:
    assert bench.up("dev").status == 0
    good = bench.outputs("dev")["imageId"]
    bench.set_version("14.1.0")
    bench.edit(DEV, r"^( +)timeoutSeconds: .*", r"\g<0>\n\1clones: 1")
    assert "- file:" not in (bench.folder / "packer/secrets-allowed.yaml").read_text().replace(
        "# - file:", ""
    )
    image = Forge(bench, tmp_path).image(good, ordinary.SCRIPT, packed=ordinary.pack(tmp_path))
    up = bench.up("dev")
    assert up.status == 0
    assert bench.pointer("web", "candidate") == image
    checks = json.loads((bench.folder / bench.outputs("dev")["validationReport"]).read_text())["checks"]
    outcomes = {check["check"]: check["outcome"] for check in checks}
    assert outcomes["secrets::file-system"] == "passed"
    assert {name for name, outcome in outcomes.items() if outcome == "skipped"} == {
        "identity::between-machines"
    }
