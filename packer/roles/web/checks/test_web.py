"""The role's smoke test: the web server is healthy and serves the page of this image."""

from __future__ import annotations

import html

import httpx


def test_health(address: str) -> None:
    answer = httpx.get(f"http://{address}/health", timeout=10, trust_env=False)
    assert (answer.status_code, answer.text) == (httpx.codes.OK, "ok\n")


def test_the_page_names_its_build(address: str, role: str) -> None:
    described = (
        httpx.get(f"http://{address}/version.json", timeout=10, trust_env=False).raise_for_status().json()
    )
    page = httpx.get(f"http://{address}/", timeout=10, trust_env=False).raise_for_status().text
    assert described["role"] == role
    # The page is HTML: a version's < is &lt; there.
    assert described["version"] in html.unescape(page)
    assert described["build"] in page
