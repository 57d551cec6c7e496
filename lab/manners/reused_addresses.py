"""A private address that is free again is given to the next machine."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, ClassVar

from lab.dataplane import ec2
from lab.manners.base import Manner

if TYPE_CHECKING:
    from lab.manners.base import Call


class Lowest(set[str]):
    """Addresses; the lowest is taken first."""

    def pop(self) -> str:
        """The lowest, which is then no longer here.

        Raises:
            KeyError: No such address.
        """
        if not self:
            raise KeyError("no address is free again")
        lowest = min(self, key=ipaddress.ip_address)
        self.remove(lowest)
        return lowest


class ReusedAddresses(Manner):
    """Private addresses of terminated instances are reused at once, the lowest first.

    "We release the IP address when the instance is terminated" (EC2 user guide, "Amazon EC2 instance IP addressing",
    private IPv4 addresses). Which one is drawn next is not documented: in a small subnet it is soon the same. moto
    gives none twice.
    """

    name: ClassVar[str] = "reused-addresses"

    def before(self, call: Call) -> None:
        """Give back the addresses of those that are terminated."""
        if call.action not in {"RunInstances", "CreateNetworkInterface"}:
            return
        for instance in ec2().all_instances():
            if instance.state != "terminated" or not instance.subnet_id:
                continue
            subnet = ec2().get_subnet(instance.subnet_id)
            for address in set(instance._private_ips):
                if subnet._subnet_ips.get(address) is instance:
                    subnet.del_subnet_ip(address)
            subnet._unused_ips = Lowest(subnet._unused_ips)
