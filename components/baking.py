"""A stack that makes its image itself: build, then validation, wired from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.image_build import ImageBuild
from components.image_validation import ImageValidation
from components.validation_machines import ClonePlace, CloneShape
from pipeline.baking import sizes
from pipeline.baking import source as source_image
from pipeline.baking.bakekey import ingredients
from pipeline.baking.variables import variables_of, where_of
from pipeline.errors import PipelineError
from pipeline.settings import former
from pipeline.settings import role as roles
from pipeline.settings.role import TEMPLATE
from pipeline.validation.suite import refuse_untested, suite_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.aws.account import Account
    from pipeline.settings.load import Settings


@dataclass(frozen=True)
class Baked:
    """A stack's own image.

    Attributes:
        build: Where it comes from.
        validation: What hands on its id, once it is proven.
    """

    build: ImageBuild
    validation: ImageValidation


def declare(stack: Settings, account: Account) -> Baked:
    """Declare build and validation.

    Raises:
        PipelineError: The role does not exist, or not all of it is in its folder; a template variable is unknown, there
            are no checks, or the machines have no place.
    """
    role = roles.read(TEMPLATE, stack.role, stack.stack_file)
    former.refuse(TEMPLATE)
    refuse_untested(TEMPLATE, role.name, stack.validation.smoke_test)
    content, access = variables_of(stack, role)
    _check_sizes(stack, account, access)
    newest = stack.bake.rebake_on_new_source
    source = source_image.find(account, content, where=where_of(stack)).id if newest else None
    build = ImageBuild(
        "build",
        ingredients=ingredients(
            TEMPLATE, role=role.name, content=content, serial=stack.bake.serial, source_image=source
        ),
        region=stack.region,
        access=access,
        timeout_minutes=stack.bake.timeout_minutes,
        environment=stack.environment,
    )
    wanted = stack.validation
    validation = ImageValidation(
        "validation",
        role=role.name,
        ports=role.ports,
        health_port=role.health,
        image_id=build.image_id,
        suite=suite_digest(TEMPLATE, role.name),
        clones=CloneShape(
            count=wanted.clones,
            instance_type=stack.clone_type,
            user=wanted.ssh_user,
            encrypt_root=wanted.encrypt_root,
            keep_minutes=wanted.keep_minutes,
        ),
        place=_place(stack, account),
        region=stack.region,
        timeout_seconds=wanted.timeout_seconds,
        smoke_test=wanted.smoke_test,
        allowed_skips=wanted.allowed_skips,
        health_wait_seconds=wanted.health_wait_seconds,
        soak_seconds=wanted.soak_seconds,
        reboot=wanted.reboot,
        environment=stack.environment,
    )
    return Baked(build, validation)


def notices(stack: Settings) -> list[str]:
    """What the stack's settings leave unproven, as lines for the preview."""
    if stack.validation.clones > 1:
        return []
    return [
        (
            f"golden-image:validation.clones is 1 in {stack.stack_file}: nothing is compared between machines, so the "
            "validation does not prove that each has an identity of its own; 2 (the default) or more do"
        )
    ]


def _check_sizes(stack: Settings, account: Account, access: Mapping[str, object]) -> None:
    """Builder, validation machines and fleet can run the image."""
    wanted = {
        "golden-image:validation.instanceType": stack.clone_type,
        "golden-image:fleet.instanceType": stack.fleet_type,
    }
    if access.get("instance_type"):
        wanted["golden-image:bake.variables.instance_type"] = str(access["instance_type"])
    sizes.check(account, wanted, architecture=stack.architecture, stack_file=stack.stack_file)


def _place(stack: Settings, account: Account) -> ClonePlace:
    """Where validation machines boot, and who may reach them."""
    wanted = stack.validation
    subnet = account.machines.subnet(wanted.subnet_id)
    if subnet is None:
        raise PipelineError(
            "there is no subnet for the validation machines",
            seen=wanted.subnet_id or f"no default subnet in {stack.region}",
            allowed="the id of a subnet of this account and region",
            change=f"golden-image:validation.subnetId in {stack.stack_file}",
        )
    cidr = wanted.allowed_cidr
    if cidr is None:
        # Asked only where the stack names no range.
        from pipeline.machines.public_ip import caller_cidr

        cidr = caller_cidr()
    return ClonePlace(
        subnet_id=subnet.id,
        vpc_id=subnet.vpc_id,
        allowed_cidr=cidr,
        address=wanted.address,
        from_here=wanted.allowed_cidr is None,
        public_ip=wanted.public_ip,
    )
