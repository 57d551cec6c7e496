"""The version and its entry in the changelog."""

import re
import tomllib
from datetime import date

from tools.checks import PROJECT


def test_the_version_has_a_dated_heading_and_is_the_newest() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (.*)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    dated = re.fullmatch(rf"{re.escape(version)} \((\d{{4}}-\d\d-\d\d)\)", released[0])
    assert dated
    date.fromisoformat(dated[1])
