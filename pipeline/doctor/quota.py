"""The quota for the machines that a bake and its validation start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.doctor import template
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

SERVICE = "ec2"
CODE = "L-1216C47A"
"""Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances, counted in vCPUs (AWS's list of EC2 quotas)."""

STANDARD = tuple("acdhimrtz")
_OTHER = ("dl", "hpc", "inf", "mac", "trn")
"""Families of other quotas whose names begin with one of those letters."""


def is_standard(instance_type: str) -> bool:
    """Whether a type counts against that quota."""
    return instance_type.startswith(STANDARD) and not instance_type.startswith(_OTHER)


def wanted(stack: Stack, values: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Type and number of the machines: the builder; then, when it is gone, those of the validation."""
    return [
        (str(values.get("instance_type", "t3.medium")), 1),
        (stack.clone_type, stack.validation.clones),
    ]


def check(account: Account, stack: Stack) -> Iterator[Finding]:
    """Whether the quota leaves room for the machines, beside those that run."""
    subject = Subject("quota", stack.about)
    machines = wanted(stack, template.values(stack))
    others = sorted({kind for kind, _ in machines if not is_standard(kind)})
    if others:
        yield subject.not_checked(
            f"{', '.join(others)} counts against a quota of its own", "look it up: Service Quotas, Amazon EC2"
        )
        return
    running = _running(account)
    sizes = _sizes(account, {kind for kind, _ in machines} | set(running))
    missing = sorted({kind for kind, _ in machines} - set(sizes))
    if missing:
        yield subject.fail(
            ", ".join(missing),
            cause=f"{account.place.region} has no such instance type",
            cure=f"{stack.where('validation.instanceType')}, or instance_type in {stack.where('bake.variables')}",
        )
        return
    need = max(sizes[kind] * count for kind, count in machines)
    used = sum(sizes.get(kind, 0) * count for kind, count in running.items())
    yield judge(subject, need=need, used=used, limit=_limit(account))


def judge(subject: Subject, *, need: int, used: int, limit: int) -> Finding:
    """Compare, all in vCPUs."""
    seen = f"{need} vCPUs needed at once, {used} of {limit} in use"
    if used + need <= limit:
        return subject.ok(seen)
    return subject.fail(
        seen,
        cause="RunInstances would be refused with VcpuLimitExceeded",
        cure=f"aws service-quotas request-service-quota-increase --service-code {SERVICE} --quota-code {CODE} "
        f"--desired-value {used + need}; or stop machines",
    )


def _limit(account: Account) -> int:
    """The account's quota; AWS's default where nobody ever changed it."""
    quotas = account.client("service-quotas")
    try:
        answer = quotas.get_service_quota(ServiceCode=SERVICE, QuotaCode=CODE)
    except quotas.exceptions.NoSuchResourceException:
        answer = quotas.get_aws_default_service_quota(ServiceCode=SERVICE, QuotaCode=CODE)
    return int(answer["Quota"]["Value"])


def _running(account: Account) -> dict[str, int]:
    """Type to number of the machines that count now."""
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    found: dict[str, int] = {}
    for page in account.client("ec2").get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                kind = instance["InstanceType"]
                if is_standard(kind) and instance.get("InstanceLifecycle") != "spot":
                    found[kind] = found.get(kind, 0) + 1
    return found


def _sizes(account: Account, kinds: set[str]) -> dict[str, int]:
    """Type to vCPUs, of those that the region has."""
    pages = account.client("ec2").get_paginator("describe_instance_types")
    return {
        found["InstanceType"]: found["VCpuInfo"]["DefaultVCpus"]
        for page in pages.paginate(Filters=[{"Name": "instance-type", "Values": sorted(kinds)}])
        for found in page["InstanceTypes"]
    }
