"""Values of a stack file are data on their whole way: Packer's plugins, Ansible and the image's page expand nothing."""

import json
import os
import re
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
    values.write_text(json.dumps({"image_role": "web", **variables}))
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
    page = (TEMPLATE / "roles/web/templates/index.html.j2").read_text()
    names = ("image_role", "image_version", "image_build", "image_commit")
    shown = jinja2.Template(page).render({name: f"<script>{name}</script>" for name in names})
    assert "<script>" not in shown
    for name in names:
        assert f"&lt;script&gt;{name}&lt;/script&gt;" in shown


def test_the_playbook_asks_for_the_values_that_packer_gives() -> None:
    (play,) = yaml.safe_load((TEMPLATE / "ansible/image.yml").read_text())
    given = re.search(
        r"playbook_values = .*?\{\n(.*?)\n  \} :", (TEMPLATE / "image.pkr.hcl").read_text(), re.DOTALL
    )
    assert given
    names = set(re.findall(r"^ +(\w+) +=", given[1], re.MULTILINE))
    # A role has no default: an image is for one.
    assert (
        names
        == {"image_role", *play["vars"]}
        == {"image_role", "image_version", "image_build", "image_commit"}
    )


def evaluated(folder: Path, expression: str, **variables: object) -> str:
    told = packer("console", folder, stdin=f"{expression}\n", **variables)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout.strip()


def builder() -> dict[str, str]:
    """The builder's settings that stand on one line, as the template writes them."""
    text = (TEMPLATE / "image.pkr.hcl").read_text()
    block = text[text.index('source "amazon-ebs"') : text.index("\nbuild {")]
    pairs = (line.split("=", 1) for line in block.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, value in pairs}


@pytest.mark.parametrize(
    ("given", "own_address"),
    [
        ({}, "true"),
        ({"temporary_security_group_source_cidrs": []}, "true"),
        ({"security_group_ids": []}, "true"),
        ({"temporary_security_group_source_cidrs": ["192.0.2.0/24"]}, "false"),
        ({"security_group_ids": ["sg-0123456789abcdef0"]}, "false"),
    ],
)
def test_the_builder_is_open_to_a_range_or_to_this_machine(
    tmp_path: Path, given: dict[str, object], own_address: str
) -> None:
    """With neither, the amazon plugin lets in 0.0.0.0/0 (1.3.2 and 1.8.2, builder/common/run_config.go)."""
    settings = builder()
    assert settings["temporary_security_group_source_cidrs"] == "var.temporary_security_group_source_cidrs"
    assert settings["security_group_ids"] == "var.security_group_ids"
    expression = settings["temporary_security_group_source_public_ip"]
    assert evaluated(tmp_path, expression, **given) == own_address


def test_the_builders_disk_is_encrypted_from_the_start(tmp_path: Path) -> None:
    settings = builder()
    assert settings["encrypted"] == "var.encrypt_boot ? true : null"
    assert settings["device_name"] == "var.root_device_name"
    assert "encrypt_boot" not in settings, "it makes an image, and an encrypted copy of it"
    assert evaluated(tmp_path, "var.encrypt_boot") == "true"


@pytest.mark.parametrize(
    ("setting", "variable", "value"),
    [
        ("volume_size", "root_volume_size", 20),
        ("volume_type", "root_volume_type", "gp3"),
        ("kms_key_id", "kms_key_id", "alias/images"),
        ("iam_instance_profile", "iam_instance_profile", "builder"),
    ],
)
def test_a_team_chooses_its_root_volume_key_and_profile(
    tmp_path: Path, setting: str, variable: str, value: object
) -> None:
    expression = builder()[setting]
    assert expression == f"var.{variable}"
    assert evaluated(tmp_path, expression) == "null", "the source image's, or none"
    assert json.loads(evaluated(tmp_path, f"jsonencode({expression})", **{variable: value})) in (
        value,
        json.dumps(value),
    )


def test_a_builder_that_nobody_ends_ends_itself(tmp_path: Path) -> None:
    settings = builder()
    assert settings["shutdown_behavior"] == '"terminate"'
    text = (TEMPLATE / "image.pkr.hcl").read_text()
    (written,) = re.findall(r"^  user_data = (.*?)\n  shutdown_behavior", text, re.MULTILINE | re.DOTALL)
    seen = evaluated(tmp_path, " ".join(written.split("\n")), builder_minutes=80)
    (command,) = yaml.safe_load(seen)["bootcmd"]
    assert command[0] == "systemd-run"
    assert "--on-active=80min" in command
    assert command[-2:] == ["systemctl", "poweroff"]


def test_what_a_build_makes_is_never_marked_as_finished(tmp_path: Path) -> None:
    tags = evaluated(tmp_path, "local.build_tags", bake_key="k")
    assert "BakeRun" in tags
    assert "BakeKey" not in tags
    text = (TEMPLATE / "image.pkr.hcl").read_text()
    (marked,) = re.findall(r"tags = merge\(local.build_tags, (.*BakeKey.*), \{", text)
    assert text.count("BakeKey =") == 1
    assert "BakeKey" not in evaluated(tmp_path, marked, bake_key="0" * 32)
    assert "by-hand" in evaluated(tmp_path, marked), "nobody else marks what is built by hand"


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ({"image_role": "db"}, "db-base-"),
        ({"image_name_prefix": "x.y"}, "x.y-"),
        ({"image_role": "web"}, "web-base-"),
    ],
)
def test_an_images_name_begins_with_its_role(tmp_path: Path, given: dict[str, object], begins: str) -> None:
    assert evaluated(tmp_path, "local.image_name", **given).startswith(begins)


@pytest.mark.parametrize(("machine", "platform"), [("x86_64", "linux-amd64"), ("aarch64", "linux-arm64")])
def test_a_machine_gets_the_exporter_of_its_architecture(machine: str, platform: str) -> None:
    """Another one's does not start, which shows only once the image has been baked."""
    role = TEMPLATE / "ansible/roles/node-exporter"
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    facts = {"ansible_facts": {"architecture": machine, "os_family": "RedHat"}}

    def rendered(text: str) -> str:
        while "{{" in text:
            text = (
                jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
                .from_string(text)
                .render({**defaults, **facts})
            )
        return text

    tasks = yaml.safe_load((role / "tasks/main.yml").read_text())
    (release,) = (task["block"] for task in tasks if "release" in task["name"] and "block" in task)
    (fetched,) = (task["ansible.builtin.get_url"] for task in release if "ansible.builtin.get_url" in task)
    assert rendered(fetched["url"]).endswith(f".{platform}.tar.gz")
    assert rendered(fetched["checksum"]) == f"sha256:{defaults['node_exporter_sha256'][machine]}"
    assert len(set(defaults["node_exporter_sha256"].values())) == 2
