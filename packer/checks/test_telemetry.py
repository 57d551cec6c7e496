"""The machine can be watched from its first minute."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from testinfra.host import Host


def test_node_exporter_is_active(host: Host) -> None:
    assert host.run("systemctl is-active node_exporter").stdout.strip() == "active"


def test_node_exporter_starts_at_boot(host: Host) -> None:
    assert host.run("systemctl is-enabled node_exporter").stdout.strip() == "enabled"


def test_metrics_answer_with_the_build_of_the_exporter(address: str) -> None:
    answer = httpx.get(f"http://{address}:9100/metrics", timeout=10, trust_env=False)
    assert answer.status_code == httpx.codes.OK
    assert re.search(r'^node_exporter_build_info\{.*version="[^"]+".*\} 1$', answer.text, re.MULTILINE)
