"""The address that this machine is seen under from outside."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import httpx

ADDRESS_SERVICE = "https://checkip.amazonaws.com"
"""AWS's own service for this; it answers with the caller's address and a newline."""

TIMEOUT_SECONDS = 10


def caller_cidr(client: httpx.Client | None = None) -> str:
    """This machine's public IPv4 address as a network of one, such as ``192.0.2.7/32``.

    Raises:
        PipelineError: It could not be found out.
    """
    import httpx  # only stacks that bake and name no range need it

    # Not through a proxy: SSH goes without one, and comes from another address.
    with client or httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as asking:
        try:
            text = asking.get(ADDRESS_SERVICE).raise_for_status().text.strip()
            return f"{ipaddress.IPv4Address(text)}/32"
        except (httpx.HTTPError, ValueError) as error:
            raise PipelineError(
                "could not find out from which address the validation machines will be checked",
                seen=str(error),
                allowed=f"an IPv4 address from {ADDRESS_SERVICE}",
                change="name the range in golden-image:validation.allowedCidr of the stack file",
            ) from error
