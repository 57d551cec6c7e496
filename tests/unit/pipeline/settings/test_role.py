"""A role's folder and its role.yaml: found, read strictly, refused in four parts."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.settings import former
from pipeline.settings import role as roles

STACK = "Pulumi.dev.yaml"


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("web", "db"):
        write(f"packer/roles/{name}/role.yaml", "ports: {}\n")
    write("packer/ansible/image.yml", "  roles:\n    - role: baseline\n")
    write("packer/ansible/roles/baseline/tasks/main.yml", "")
    write("packer/checks/test_boot.py", "def test_boot(host): ...\n")
    return Path("packer")


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


def refused(template: Path, name: str) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        roles.read(template, name, STACK)
    assert caught.value.seen
    assert caught.value.change
    return caught.value


def test_the_projects_own() -> None:
    web = roles.read(roles.TEMPLATE, "web", STACK)
    assert web.ports == {"ssh": 22, "http": 80, "node-exporter": 9100}
    assert web.health == 80


def test_what_a_role_says(template: Path) -> None:
    write("packer/roles/db/role.yaml", "ports:\n  pg: 5432\nvariables:\n  root_volume_size: 20\n")
    db = roles.read(template, "db", STACK)
    assert db.ports == {"ssh": 22, "node-exporter": 9100, "pg": 5432}
    assert (db.health, db.variables) == (None, {"root_volume_size": 20})
    write("packer/roles/db/role.yaml", "# nothing of its own\n")
    assert roles.read(template, "db", STACK).ports == {"ssh": 22, "node-exporter": 9100}


@pytest.mark.parametrize(
    ("text", "what", "allowed"),
    [
        ("port: {}\n", "port is not a known key (did you mean ports?)", "health, ports, variables"),
        ("ports: {pg: '5432'}\n", "ports.pg is not valid", "a whole number from 1 to 65535"),
        ("ports: {pg: true}\n", "ports.pg is not valid", "a whole number from 1 to 65535"),
        ("ports: {pg: 65536}\n", "ports.pg is not valid", "a whole number from 1 to 65535"),
        ("ports: {P g: 5432}\n", "ports.P g is not valid", "a name of lower-case letters"),
        ("ports: [5432]\n", "ports is not valid", "a mapping of keys to values"),
        ("ports: {ssh: 2222}\n", "ports.ssh is open anyway", "another than those of every machine: ssh 22"),
        ("ports: {metrics: 9100}\n", "ports.metrics is open anyway", "another than those of every machine"),
        ("ports: {a: 1, b: 1}\n", "ports.a is there twice", "each port once"),
        ("ports: {a: 1}\nhealth: 2\n", "health is not a port of the role", "a port of ports: 1"),
        ("health: yes please\n", "health is not valid", "a whole number"),
        ("variables: 5\n", "variables is not valid", "a mapping of keys to values"),
    ],
)
def test_a_key_that_does_not_fit(template: Path, text: str, what: str, allowed: str) -> None:
    write("packer/roles/db/role.yaml", text)
    error = refused(template, "db")
    assert error.what == what
    assert allowed in (error.allowed or "")
    assert "in packer/roles/db/role.yaml" in (error.change or "")


@pytest.mark.parametrize("text", ["- ports\n", "ports: {\n", "a: 1\na: 2\n"])
def test_a_file_that_is_not_a_mapping(template: Path, text: str) -> None:
    write("packer/roles/db/role.yaml", text)
    assert refused(template, "db").change == "packer/roles/db/role.yaml"


def test_a_role_that_does_not_exist(template: Path) -> None:
    error = refused(template, "wbe")
    assert error.what == "golden-image:role names a role that does not exist (did you mean web?)"
    assert error.seen == "wbe"
    assert (error.allowed or "").startswith("db, web: ")
    assert "golden-image:role in Pulumi.dev.yaml" in (error.change or "")
    assert "did you mean" not in refused(template, "something-else").what


def test_what_every_image_has_is_not_a_role(template: Path) -> None:
    assert "does not exist" in refused(template, "baseline").what


def test_a_folder_without_its_file(template: Path) -> None:
    write("packer/roles/cache/tasks/main.yml", "")
    error = refused(template, "cache")
    assert error.what == "role cache has no role.yaml"
    assert error.change == "packer/roles/cache/role.yaml"


def test_a_role_in_the_place_of_before(template: Path) -> None:
    write("packer/ansible/roles/cache/tasks/main.yml", "")
    error = refused(template, "cache")
    assert "in the place where roles were before" in error.what
    assert "git mv packer/ansible/roles/cache packer/roles/cache" in (error.change or "")


def test_files_in_the_places_of_before_are_refused_with_the_new_ones(template: Path) -> None:
    former.refuse(template)
    write("packer/ansible/roles/web/handlers/main.yml", "")
    write("packer/checks/test_db.py", "import pytest\npytestmark = pytest.mark.role('db')\n")
    write("packer/checks/test_any.py", "from pytest import mark\n\n@mark.role(NAME)\ndef test_a(): ...\n")
    write("packer/checks/test_word.py", "# no mark.role('db') here\ndef test_a(): ...\n")
    with pytest.raises(PipelineError) as caught:
        former.refuse(template)
    assert (caught.value.change or "").split("\n") == [
        "git mv packer/ansible/roles/web/handlers/main.yml packer/roles/web/handlers/main.yml",
        "git mv packer/checks/test_any.py packer/roles/ROLE/checks/test_any.py, and remove the marker",
        "git mv packer/checks/test_db.py packer/roles/db/checks/test_db.py, and remove the marker",
    ]


def test_no_role_is_named_where_any_may_be_baked() -> None:
    """A second role is a folder and its stack files: program and template do not know the first."""
    project = Path(__file__).resolve().parents[4]
    for name in roles.names(project / "packer"):
        files = [
            *project.glob("packer/*.hcl"),
            project / "packer/ansible/image.yml",
            *project.glob("packer/ansible/roles/**/*.yml"),
            *project.glob("packer/checks/*.py"),
        ]
        named = [
            path.name for path in files if f'"{name}"' in path.read_text() or f" {name}\n" in path.read_text()
        ]
        assert not named
        for room in ("pipeline", "components"):
            for path in (project / room).rglob("*.py"):
                assert f'"{name}"' not in path.read_text(), path
