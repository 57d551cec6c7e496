"""Machine identity: values that must differ on every machine, and from those of the builder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.results import FAILED, PASSED, SKIPPED, CheckResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCRIPT = "packer/scripts/identity.sh"
"""Prints name and hash of each value; the bake runs the same script on the builder."""

BUILDER_FILE = "/usr/lib/golden-image/builder-identity"
"""Where the bake leaves the builder's."""

REQUIRED = ("machine-id", "hostname", "cloud-init instance id", "ssh host key ed25519")
"""What every machine must have."""

ADDRESS = "address"
"""The private address. No identity: EC2 gives it again, and makes the host name of it."""

CHECK = "identity"
ONE_MACHINE = f"{CHECK}::between-machines"
"""The check that one machine alone cannot pass: skipped, and said so."""


def parse(text: str) -> dict[str, str]:
    """Name to hash, from lines ``hash  name``."""
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return {name: value for value, name in pairs}


def compare(clones: Mapping[str, Mapping[str, str]], builder: Mapping[str, str]) -> list[CheckResult]:
    """One result for each value of each clone.

    Args:
        clones: Address to what the clone has.
        builder: What the builder had; empty if the image does not tell.
    """
    results = []
    names = sorted({name for values in (*clones.values(), dict.fromkeys(REQUIRED, "")) for name in values})
    for name in names:
        if name == ADDRESS:
            continue
        for address, values in clones.items():
            mine = values.get(name)
            others = [other for other in clones if other != address and clones[other].get(name) == mine]
            seen = ""
            if mine is None:
                seen = "missing" if name in REQUIRED else ""
            elif mine in builder.values() and not _named_alike(name, values, builder):
                seen = "the same as the builder's"
            elif others:
                seen = f"the same as that of {', '.join(others)}"
            results.append(
                CheckResult(
                    check=f"{CHECK}::{name.replace(' ', '-')}",
                    address=address,
                    outcome=FAILED if seen else PASSED,
                    seconds=0,
                    seen=f"{name}: {seen}" if seen else "",
                    wanted="one of its own" if seen else "",
                )
            )
    if len(clones) == 1:
        seen = "one machine boots from the image, so whether two would share an identity is not proven"
        results.append(CheckResult(check=ONE_MACHINE, address="", outcome=SKIPPED, seconds=0, seen=seen))
    if not builder:
        results.append(
            CheckResult(
                check=f"{CHECK}::builder",
                address="",
                outcome=FAILED,
                seconds=0,
                seen=f"{BUILDER_FILE} is not in the image",
                wanted=json.dumps(sorted(REQUIRED)),
            )
        )
    return results


def _named_alike(name: str, clone: Mapping[str, str], builder: Mapping[str, str]) -> bool:
    """Whether a name is the builder's because EC2 has given the machine the builder's former address."""
    return name == "hostname" and ADDRESS in clone and clone[ADDRESS] == builder.get(ADDRESS)


REGISTRATION = ("/etc/pki/consumer/", "/etc/pki/entitlement/")
"""Where Red Hat's subscription manager keeps a machine's own certificates and keys: in some accounts a machine
registers itself minutes after its boot."""


def without_registration(results: Sequence[CheckResult]) -> list[CheckResult]:
    """The results without secrets that belong to a registration of the machine's own.

    A registration that another machine or the builder has, too, stays a finding.
    """
    own = {
        result.address
        for result in results
        if result.check == f"{CHECK}::rhsm-consumer" and result.outcome == PASSED
    }
    return [
        result
        for result in results
        if not (
            result.address in own
            and result.check.startswith("secrets::")
            and result.seen.startswith(REGISTRATION)
        )
    ]
