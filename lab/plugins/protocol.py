"""The engine's protocol as Python modules, out of the SDK, but without the SDK: importing that takes half a second.

An official plugin is one binary and starts at once; each preview starts two.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType

_PACKAGES = ("pulumi", "pulumi.runtime")
"""What lies above the modules; none of it is needed to use them."""


def _bare(name: str) -> None:
    """Have an empty package in place of one that would import everything; one that is there stays."""
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"no package {name}", name=name)
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package


_before = set(sys.modules)
for _name in _PACKAGES:
    _bare(_name)

from pulumi.runtime.proto import (  # noqa: E402
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)

# A program that imports the SDK itself, as a test does, gets it.
for _name in _PACKAGES:
    if _name not in _before:
        del sys.modules[_name]

__all__ = ["engine_pb2", "engine_pb2_grpc", "plugin_pb2", "provider_pb2", "provider_pb2_grpc"]
