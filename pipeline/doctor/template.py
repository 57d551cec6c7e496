"""The Packer template: is it there, what are its defaults, and does Packer accept it with a stack's values?"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.baking.source import defaults
from pipeline.baking.variables import FACTS, split_variables, template_variables
from pipeline.doctor import programs
from pipeline.doctor.findings import Subject
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

FOLDER = Path("packer")


def values(stack: Stack) -> dict[str, Any]:
    """What each variable of the template is in a stack's bake: the default, or what the stack says.

    Raises:
        PipelineError: There is no template, or it cannot be read.
    """
    template_variables(FOLDER)
    return {**defaults(FOLDER), **stack.variables, "source_image_architecture": stack.architecture}


def check(stack: Stack) -> Iterator[Finding]:
    """Whether Packer accepts the template with the stack's values, and has the plugins that it requires."""
    subject = Subject("template", stack.about)
    try:
        known = template_variables(FOLDER)
        where = stack.where("bake.variables")
        content, access = split_variables(stack.variables, known, where=where)
    except PipelineError as error:
        yield subject.fail(error.seen or error.what, cause=error.what, cure=error.change or f"{FOLDER}/")
        return
    path = programs.found("packer")
    if path is None:
        yield subject.not_checked("packer is not on PATH", "see packer")
        return
    given = {name: value for name, value in {**content, **access}.items() if value is not None}
    declared = known.content | known.access
    given |= (
        {"source_image_architecture": stack.architecture} if "source_image_architecture" in declared else {}
    )
    given |= {"region": stack.place.region} if "region" in FACTS & declared else {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.json"
        file.write_text(json.dumps(given), encoding="utf-8")
        said = programs.ask(path, "validate", f"-var-file={file}", str(FOLDER))
    if said.status == 0:
        yield subject.ok(f"{FOLDER}/ is valid with the values of {stack.file}, and its plugins are there")
        return
    text = said.out + said.err
    if "Missing plugins" in text:
        missing = [line.strip("* ") for line in text.splitlines() if line.startswith("* ")]
        yield subject.warn(
            f"Packer plugins missing: {', '.join(missing)}",
            cause="the first bake installs them with `packer init`, which needs github.com",
            cure=f"packer init {FOLDER}/ on this machine; or have PACKER_PLUGIN_PATH name the folder that has them",
        )
    else:
        yield subject.fail(
            programs.Said(said.status, "", text).problem,
            cause="Packer does not accept the template with these values",
            cure=f"{FOLDER}/, or {where}",
        )
