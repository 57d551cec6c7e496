"""Values of a stack file are data on their whole way: Packer's plugins, Ansible and the image's page expand nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
TEMPLATE = PROJECT / "packer"

PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    image_commit: by-hand
  tasks:
    - ansible.builtin.copy:
        content: "{{ image_commit }}"
        dest: "{{ folder }}/seen"
        mode: "0600"
"""


def tools() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": os.pathsep.join(
            [str(PROJECT / ".tools/bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
        "PACKER_PLUGIN_PATH": str((PROJECT / ".tools/packer-plugins").resolve()),
        "CHECKPOINT_DISABLE": "1",
        "PKR_VAR_skip_credential_validation": "true",
        "PKR_VAR_skip_metadata_api_check": "true",
    }


def packer(
    command: str, folder: Path, *, stdin: str = "", **variables: object
) -> subprocess.CompletedProcess[str]:
    """As the bake step hands values over: in a file of JSON."""
    values = folder / "values.json"
    values.write_text(json.dumps(variables))
    return subprocess.run(
        ["packer", command, f"-var-file={values}", str(TEMPLATE)],
        input=stdin, capture_output=True, text=True, check=False, env=tools(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "1.0{{% set x = lookup('ansible.builtin.pipe', 'touch {file}') %}}",
        "{{{{ lookup('ansible.builtin.pipe', 'touch {file}') }}}}",
        "{{{{ env `HOME` }}}} {{{{ isotime }}}}",
        "${{file}} %{{ if true }}yes%{{ endif }}",
        "\"', }} !vault : # \\u007b & <b> \\n é \u2028",
    ],
    ids=["jinja statement", "jinja expression", "go template", "hcl template", "yaml"],
)
def test_a_value_reaches_the_playbook_as_it_is(tmp_path: Path, value: str) -> None:
    touched = tmp_path / "touched"
    value = value.format(file=touched)
    told = packer("console", tmp_path, stdin="local.playbook_values\n", git_commit=value)
    assert told.returncode == 0, told.stdout + told.stderr
    arguments = told.stdout.rstrip("\n")
    assert "{{" not in arguments, "the ansible plugin expands Go templates in its arguments"
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-e", f"folder={tmp_path}",
            "-e", f"ansible_python_interpreter={sys.executable}", "--extra-vars", arguments, str(playbook)],
        capture_output=True, text=True, check=False, env=tools(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not touched.exists()
    assert (tmp_path / "seen").read_text() == value


@pytest.mark.parametrize("value", ["1{{ env `HOME` }}", "1{% x %}", "1{# x #}", "1\n2", "1\x1b[31m"])
def test_packer_refuses_markup_in_a_version(tmp_path: Path, value: str) -> None:
    """Also of a person who bakes by hand: a tag's value is a Go template to the amazon plugin."""
    done = packer("validate", tmp_path, image_version=value)
    assert done.returncode != 0
    assert "image_version must be plain text" in done.stdout + done.stderr


def test_packer_accepts_the_template(tmp_path: Path) -> None:
    done = packer("validate", tmp_path, image_version="1.0 ${x} }}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_shows_a_value_and_does_not_run_it() -> None:
    page = (TEMPLATE / "ansible/roles/web/templates/index.html.j2").read_text()
    names = ("image_role", "image_version", "image_build", "image_commit")
    shown = jinja2.Template(page).render({name: f"<script>{name}</script>" for name in names})
    assert "<script>" not in shown
    for name in names:
        assert f"&lt;script&gt;{name}&lt;/script&gt;" in shown


def test_the_playbook_asks_for_the_values_that_packer_gives() -> None:
    (play,) = yaml.safe_load((TEMPLATE / "ansible/image.yml").read_text())
    assert set(play["vars"]) == {"image_role", "image_version", "image_build", "image_commit"}
