"""The plugins of Pulumi that the program's SDKs need."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pipeline.doctor import machine, programs
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.doctor.findings import Finding

SUBJECT = Subject("pulumi plugins", machine.HERE)
NAMES = ("aws", "command")
NO_DOWNLOADS = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"


def check() -> Iterator[Finding]:
    """Whether Pulumi has the plugins at the versions of the SDKs, or may download them."""
    said = programs.ask("pulumi", "plugin", "ls", "--json")
    if said.status != 0:
        yield SUBJECT.fail(said.problem, cause="pulumi cannot list its plugins", cure="check PULUMI_HOME")
        return
    packages = machine.of_the_environment()
    yield judge(
        wanted={name: packages.get(f"pulumi-{name}", "") for name in NAMES},
        there={(plugin["name"], plugin.get("version", "")) for plugin in json.loads(said.out)},
        on_path=[name for name in NAMES if programs.found(f"pulumi-resource-{name}")],
        may_download=os.environ.get(NO_DOWNLOADS, "").lower() not in {"true", "1"},
    )


def judge(
    *, wanted: Mapping[str, str], there: set[tuple[str, str]], on_path: list[str], may_download: bool
) -> Finding:
    """Compare.

    Args:
        wanted: Plugin to the version that its SDK needs.
        there: Plugins and versions that are installed.
        on_path: Plugins on PATH, which the engine takes whatever their version.
        may_download: Whether the engine may download a missing one.
    """
    missing = {
        name: version
        for name, version in wanted.items()
        if (name, version) not in there and name not in on_path
    }
    if not missing:
        return SUBJECT.ok(", ".join(f"{name} {wanted[name]}" for name in wanted))
    seen = "missing: " + ", ".join(f"{name} {version}" for name, version in missing.items())
    cure = "; ".join(f"pulumi plugin install resource {name} v{version}" for name, version in missing.items())
    if may_download:
        return SUBJECT.warn(
            seen, cause="the first preview downloads them, which needs the network", cure=cure
        )
    return SUBJECT.fail(seen, cause=f"{NO_DOWNLOADS} forbids Pulumi to download them", cure=cure)
