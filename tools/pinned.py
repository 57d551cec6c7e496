"""The tools that the project is run with: what pins each, and where it comes from."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tools.say import SetupError
from tools.venv import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

MODULES = PROJECT / "tools" / "go"
OLDEST = "oldest"


@dataclass(frozen=True)
class Tool:
    """One command and its sources.

    Attributes:
        name: The command; also the folder of its go.mod under tools/go.
        package: Go package to build.
        module: Go module whose version is the pin.
        ldflags: Linker flags; ``{version}`` is the pin.
        archive: Official download, with ``{version}`` and ``{platform}``; "" if there is none of its own.
        checksums: The publisher's file of SHA-256 sums.
        platforms: Machine as Python calls it to the publisher's word for it.
        takes: Commands to take from the archive.
        extra: Files of the module to put beside the built command, relative to the module's folder.
        folder: The folder of its go.mod, if it is not that of its name.
    """

    name: str
    package: str
    module: str
    ldflags: str = "-s -w"
    archive: str = ""
    checksums: str = ""
    platforms: tuple[tuple[str, str], ...] = ()
    takes: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    # Not in the key: the content of go.mod and go.sum is.
    folder: Path | None = field(default=None, repr=False)

    @property
    def pins(self) -> Path:
        """The folder of its go.mod and go.sum."""
        return self.folder or MODULES / self.name

    @property
    def version(self) -> str:
        """The pin in go.mod, without the ``v``.

        Raises:
            SetupError: go.mod does not name the module.
        """
        text = (self.pins / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.module)} v(\S+)", text, re.MULTILINE)
        if not found:
            raise SetupError(f"{self.pins.relative_to(PROJECT)}/go.mod does not pin {self.module}")
        return found[1]

    def key(self) -> str:
        """Key of the built command: its pins, flags and this platform."""
        digest = hashlib.sha256(repr(self).encode())
        for name in ("go.mod", "go.sum"):
            digest.update((self.pins / name).read_bytes())
        digest.update(f"{sys.platform} {platform.machine()}".encode())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


PULUMI = Tool(
    name="pulumi",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    module="github.com/pulumi/pulumi/pkg/v3",
    ldflags="-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}",
    archive="https://get.pulumi.com/releases/sdk/pulumi-v{version}-{platform}.tar.gz",
    checksums="https://github.com/pulumi/pulumi/releases/download/v{version}/pulumi-{version}-checksums.txt",
    platforms=(("x86_64", "linux-x64"), ("aarch64", "linux-arm64")),
    takes=("pulumi", "pulumi-language-python", "pulumi-language-python-exec"),
)
LANGUAGE_HOST = Tool(
    name="pulumi-language-python",
    package="github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
    module="github.com/pulumi/pulumi/sdk/v3",
    # Newer ones moved to a module of their own; this one works with the CLI above and comes with it
    # in the official download.
    extra=("python/cmd/pulumi-language-python-exec",),
)
PACKER = Tool(
    name="packer",
    package="github.com/hashicorp/packer",
    module="github.com/hashicorp/packer",
    archive="https://releases.hashicorp.com/packer/{version}/packer_{version}_{platform}.zip",
    checksums="https://releases.hashicorp.com/packer/{version}/packer_{version}_SHA256SUMS",
    platforms=(("x86_64", "linux_amd64"), ("aarch64", "linux_arm64")),
    takes=("packer",),
)
GITLEAKS = Tool(
    name="gitleaks",
    package="github.com/zricethezav/gitleaks/v8",
    module="github.com/zricethezav/gitleaks/v8",
    ldflags="-s -w -X github.com/zricethezav/gitleaks/v8/version.Version={version}",
    archive="https://github.com/gitleaks/gitleaks/releases/download/v{version}/gitleaks_{version}_{platform}.tar.gz",
    checksums="https://github.com/gitleaks/gitleaks/releases/download/v{version}/gitleaks_{version}_checksums.txt",
    platforms=(("x86_64", "linux_x64"), ("aarch64", "linux_arm64")),
    takes=("gitleaks",),
)
PLUGINS = tuple(
    Tool(
        name=f"packer-plugin-{name}",
        package=f"github.com/hashicorp/packer-plugin-{name}",
        module=f"github.com/hashicorp/packer-plugin-{name}",
        # Without this they call themselves a development version, which Packer refuses.
        ldflags=f"-s -w -X github.com/hashicorp/packer-plugin-{name}/version.VersionPrerelease=",
    )
    for name in ("amazon", "ansible")
)
OLDEST_PULUMI = replace(PULUMI, folder=MODULES / OLDEST / PULUMI.name)
OLDEST_PACKER = replace(PACKER, folder=MODULES / OLDEST / PACKER.name)
OLDEST_PLUGINS = (replace(PLUGINS[0], folder=MODULES / OLDEST / PLUGINS[0].name), PLUGINS[1])
