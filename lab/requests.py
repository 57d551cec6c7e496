"""A request's content (PEP 3333), read so that moto can read it once more."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import parse_qs, urlencode

from lab import settings as lab_settings


def read_json(environ: dict[str, Any]) -> Any:
    """The body, as JSON."""
    return json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def read_arguments(environ: dict[str, Any], form: dict[str, list[str]], target: str) -> dict[str, Any]:
    """A call's arguments, in either protocol; the body stays readable for moto."""
    if not target:
        return {name: values[0] for name, values in form.items()}
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    found: dict[str, Any] = json.loads(body)
    return found


def read_form(environ: dict[str, Any]) -> dict[str, list[str]]:
    """The form fields of a query-protocol request; the body stays readable for moto."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    if "x-www-form-urlencoded" not in environ.get("CONTENT_TYPE", ""):
        return {}
    return parse_qs(body.decode(), keep_blank_values=True)


def default_subnet(environ: dict[str, Any], form: dict[str, list[str]]) -> None:
    """Launch in the default subnet when the call names none.

    EC2 does so; moto would invent an address in 10.0.0.0/8 that belongs to no machine.
    """
    if any(name == "SubnetId" or name.endswith((".SubnetId", ".NetworkInterfaceId")) for name in form):
        return
    interfaces = any(name.startswith("NetworkInterface.") for name in form)
    form["NetworkInterface.1.SubnetId" if interfaces else "SubnetId"] = [lab_settings.SUBNET_ID]
    body = urlencode(form, doseq=True).encode()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
