"""What is looked at before a bake: all that it reads, the checks, and a stack's config."""

from pathlib import Path

import pytest

from pipeline.baking import sourcescan
from pipeline.errors import PipelineError
from pipeline.scanning.secretscan import Allowed, Finding
from tests import secret_forms

TOKEN = "AKIA" + "QZ3KLMNP7RSTUVWX"
PASSWORD = "Kq7wX2mPz9" + "LrT4v"
ROLE = "roles/web"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "name",
    [f"{ROLE}/defaults/main.yml", f"{ROLE}/files/.env", "checks/test_x.py", "access.pkr.hcl", ".hidden/x"],
)
def test_found_in_sources(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, f'# one\nkey = "{TOKEN}"\n')
    assert sourcescan.scan_sources(tmp_path, "web", []) == [Finding(name, 2, "aws-access-token")]


def test_another_roles_files_are_no_part_of_the_bake(tmp_path: Path) -> None:
    for role in ("web", "db"):
        write(tmp_path / f"roles/{role}/role.yaml", "ports: {}\n")
        write(tmp_path / f"roles/{role}/checks/test_{role}.py", f"key = '{TOKEN}'\n")
    [found] = sourcescan.scan_sources(tmp_path, "db", [])
    assert found.file == "roles/db/checks/test_db.py"


def test_found_behind_a_link(tmp_path: Path) -> None:
    write(tmp_path / "shared/tasks/main.yml", f"key: {TOKEN}\n")
    (tmp_path / "packer/ansible/roles").mkdir(parents=True)
    (tmp_path / "packer/ansible/roles/shared").symlink_to(tmp_path / "shared")
    [found] = sourcescan.scan_sources(tmp_path / "packer", "web", [])
    assert found.file == "ansible/roles/shared/tasks/main.yml"


def test_forgiven_under_the_names_of_before(tmp_path: Path) -> None:
    name = f"{ROLE}/defaults/main.yml"
    write(tmp_path / name, f'web_password: "{PASSWORD}"\nother: "{{{{ web_password }}}}"\n')
    assert {found.line for found in sourcescan.scan_sources(tmp_path, "web", [])} == {1}
    allowed = [Allowed("roles/*/defaults/main.yml", "Secret Keyword", "an example")]
    assert sourcescan.scan_sources(tmp_path, "web", allowed) == []
    assert sourcescan.scan_sources(tmp_path, "web", [Allowed("roles/*", "private-key", "another rule")])


def test_this_project_has_none() -> None:
    assert sourcescan.scan_sources(Path("packer"), "web", []) == []
    assert sourcescan.scan_config(Path(), []) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_forms_in_a_role(tmp_path: Path, seed: int) -> None:
    """Both sides have the same rules: what is found on a machine is found before it is baked."""
    files = tmp_path / ROLE / "files"
    made = secret_forms.lay(files, seed)
    found = {finding.file.split("!")[0] for finding in sourcescan.scan_sources(tmp_path, "web", [])}
    missed = {secret.form for secret in made if f"{ROLE}/files/{secret.path}" not in found}
    assert missed <= secret_forms.OUT_OF_REACH | {"shell-history"}


@pytest.mark.parametrize(
    "text",
    [
        "- ansible.builtin.user:\n    name: app\n    update_password: on_create\n",
        "db_secret_arn: arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-a1B2c3\n",
        "db_password_parameter: /prod/db/password2\n",
        "db_secret_name: prod/db/password-v2\n",
        "db_password: \"{{ lookup('amazon.aws.aws_secret', 'prod/db1') }}\"\n",
        "db_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162633132333435363738393061626331323334353637383930\n",
        "password: ${DB_PASSWORD}\npassword_file: /run/secrets/db1\nEnvironmentFile=/etc/default/app2\n",
        "password: changeme\npasswd_hash: '*'\nno_password: true\n",
    ],
)
def test_the_right_ways_pass(tmp_path: Path, text: str) -> None:
    write(tmp_path / f"{ROLE}/defaults/main.yml", text)
    assert sourcescan.scan_sources(tmp_path, "web", []) == []


def test_config(tmp_path: Path) -> None:
    secure = "v1:" + secret_forms.Values(1).base64(40)
    write(
        tmp_path / "Pulumi.dev.yaml",
        f"encryptionsalt: {secure}\nconfig:\n  golden-image:bake:\n    variables:\n"
        f"      api_token:\n        secure: {secure}\n      other_token: {{secure: {secure}}}\n",
    )
    sourcescan.refuse_in_config(tmp_path)
    write(tmp_path / "Pulumi.prod.yaml", f"config:\n  golden-image:x: https://robot:{PASSWORD}@example.org\n")
    with pytest.raises(PipelineError, match=r"Pulumi.prod.yaml:2: basic-auth") as error:
        sourcescan.refuse_in_config(tmp_path)
    assert PASSWORD not in str(error.value)
    write(tmp_path / "Pulumi.yaml", f"name: x\nconfig:\n  golden-image:token: {TOKEN}\n")
    with pytest.raises(PipelineError, match=r"Pulumi.yaml:3: aws-access-token"):
        sourcescan.refuse_in_config(tmp_path)
    forgiven = Allowed("Pulumi.prod.yaml", "basic-auth", "a robot of the documentation")
    assert {one.file for one in sourcescan.scan_config(tmp_path, [forgiven])} == {"Pulumi.yaml"}
