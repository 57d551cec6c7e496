"""The report of a validation: JSON for scripts, JUnit for CI systems."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from pipeline import visible
from pipeline.results import FAILED, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.results import CheckResult

REPORTS = Path("reports")


def write(
    facts: Mapping[str, Any], results: Sequence[CheckResult], ids: Mapping[str, str], folder: Path = REPORTS
) -> tuple[str, str]:
    """Write ``report.json`` and ``junit.xml`` into a folder of this run's own, below the image's.

    Args:
        facts: ``imageId``, ``validatedAt``, ``suite``, ``role``, ``outcome``, and ``error`` of a failure.
        results: Of all checks on all machines.
        ids: Address to instance id; the report names machines by id.
        folder: Above the images' folders.

    Returns:
        The JSON report's path, and its SHA-256 in hexadecimal digits.
    """
    ordered = sorted(results, key=lambda result: (result.address, result.check))
    checks = [{**asdict(result), "machine": ids.get(result.address, "")} for result in ordered]
    text = json.dumps({**facts, "checks": checks}, indent=2, sort_keys=True) + "\n"
    target = _new_folder(folder / str(facts["imageId"]), str(facts["validatedAt"]).replace(":", ""))
    (target / "report.json").write_text(text)
    ET.ElementTree(_junit(ordered, ids)).write(target / "junit.xml", encoding="utf-8", xml_declaration=True)
    return (target / "report.json").as_posix(), hashlib.sha256(text.encode()).hexdigest()


def _new_folder(image: Path, name: str) -> Path:
    """A folder that no run before has used."""
    image.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        target = image / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            target.mkdir()
            return target
    raise AssertionError


def _junit(results: Sequence[CheckResult], ids: Mapping[str, str]) -> ET.Element:
    """The results as XML, which has no control characters: a machine's are escaped."""
    suite = ET.Element(
        "testsuite",
        name="validation",
        tests=str(len(results)),
        failures=str(sum(result.outcome == FAILED for result in results)),
        skipped=str(sum(result.outcome == SKIPPED for result in results)),
    )
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=ids.get(result.address, "all"),
            name=visible.one_line(result.check),
            time=f"{result.seconds:.2f}",
        )
        if result.outcome == FAILED:
            ET.SubElement(case, "failure", message=visible.lines(result.seen)).text = visible.lines(
                result.wanted
            )
        elif result.outcome == SKIPPED:
            ET.SubElement(case, "skipped", message=visible.lines(result.seen))
    return suite
