"""The Packer template with a stack's values, and the image that a bake would start from."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.baking import source
from pipeline.baking.variables import template_variables
from pipeline.doctor import programs
from pipeline.doctor.findings import Subject
from pipeline.settings import role as roles
from pipeline.settings.role import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack
    from pipeline.model import Image


def template(stack: Stack) -> Iterator[Finding]:
    """Whether Packer accepts the template with the stack's values, and has the plugins that it requires."""
    subject = Subject("template", stack.about)
    values = stack.variables
    of_role = roles.read(TEMPLATE, stack.settings.role, stack.settings.stack_file).variables
    given = {name: values[name] for name in ("image_role", *of_role, *stack.settings.bake.variables)}
    path = programs.found("packer")
    if path is None:
        yield subject.not_checked("packer is not on PATH", "see packer")
        return
    known = template_variables(TEMPLATE)
    given |= {"source_image_architecture": stack.settings.architecture, "region": stack.settings.region}
    declared = known.content | known.access
    wanted = {name: value for name, value in given.items() if name in declared and value is not None}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.json"
        file.write_text(json.dumps(wanted), encoding="utf-8")
        said = programs.ask(path, "validate", f"-var-file={file}", str(TEMPLATE))
    missing = [line.strip("* ") for line in (said.out + said.err).splitlines() if line.startswith("* ")]
    if said.status == 0:
        yield subject.ok(
            f"{TEMPLATE}/ is valid with the values of {stack.settings.stack_file}; plugins are installed"
        )
    elif "Missing plugins" in said.out + said.err:
        yield subject.warn(
            f"Packer plugins missing: {', '.join(missing)}",
            cause="the first bake installs them with `packer init`, which needs github.com",
            cure=f"packer init {TEMPLATE}/ on this machine; or set PACKER_PLUGIN_PATH to the folder that has them",
        )
    else:
        yield subject.fail(
            programs.Said(said.status, "", said.out + said.err).problem,
            cause="Packer does not accept the template with these values",
            cure=f"{TEMPLATE}/, or {stack.where('bake.variables')}",
        )


def source_image(account: Account, stack: Stack) -> Iterator[Finding]:
    """Whether the filter matches an image, and whose it is."""
    image = find(account, stack)
    seen = f"{image.id} {image.name}, owner {image.owner}, created {image.created[:10]}"
    yield Subject("source image", stack.about).ok(seen)


def find(account: Account, stack: Stack) -> Image:
    """The newest image that the template's filter matches with the stack's values.

    Raises:
        PipelineError: No image matches, or AWS did not answer.
    """
    return source.find(
        account, stack.variables, where=f"{stack.where('bake.variables')}, or {TEMPLATE}/variables.pkr.hcl"
    )
