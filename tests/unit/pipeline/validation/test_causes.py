"""What a failed check most likely means, and where the role comes in."""

from pathlib import Path

from pipeline.validation import causes


def test_a_check_of_the_role_points_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "roles/db/checks").mkdir(parents=True)
    (tmp_path / "roles/db/checks/test_db.py").touch()
    [own] = causes.explain(["test_db.py::test_port"], role="db", template=tmp_path)
    assert own.cure == f"{tmp_path}/roles/db/ sets up what role db is for; is it enabled at boot?"
    assert causes.explain(["floor::health"], role="db", template=tmp_path) == [own]
    assert causes.explain(["test_db.py::test_port"], role="web", template=tmp_path) == []


def test_the_gravest_comes_first() -> None:
    found = causes.explain(["test_web.py::test_health", "secrets::etc/x", "test_boot.py::test_a"], role="web")
    assert [cause.prefixes[0] for cause in found] == ["secrets::", "test_boot.py::", "floor::health"]


def test_what_a_cure_points_to_is_above_it() -> None:
    """Console and journal are shown first, and the error last."""
    assert not [cause.cure for cause in causes.CAUSES if "below" in cause.cure]
