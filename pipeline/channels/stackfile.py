"""A stack's config file: read as YAML, changed as text, so that a change is one line in a diff."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pathlib import Path

PIN = "golden-image:image"
_BEFORE_PIN = ("golden-image:from", "golden-image:channel")


@dataclass(frozen=True)
class StackFile:
    """A stack's config file.

    Attributes:
        path: Where it is.
        text: What it says.
    """

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> StackFile:
        """Read it.

        Raises:
            PipelineError: It does not exist, or is no YAML with a mapping ``config``.
        """
        try:
            found = cls(path, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PipelineError(
                "the stack file cannot be read",
                seen=f"{path}: {error.strerror}",
                change="name it with --config-file",
            ) from error
        found._config()
        return found

    def get(self, key: str) -> str | None:
        """The value of a top-level config key, such as ``golden-image:channel``."""
        value = self._config().get(key)
        return None if value is None else str(value)

    def value(self, key: str) -> Any:
        """The value of a top-level config key as plain data, with the YAML library's own types gone."""
        return json.loads(json.dumps(self._config().get(key)))

    def require(self, key: str) -> str:
        """The value of a config key that must be there.

        Raises:
            PipelineError: It is not.
        """
        value = self.get(key)
        if value is None:
            raise PipelineError(f"{key} is missing", seen=str(self.path), change=f"{key} in {self.path}")
        return value

    def with_pin(self, image_id: str) -> StackFile:
        """The same file with ``golden-image:image`` set; every other character stays.

        Raises:
            PipelineError: The file's form is too unusual to be changed by one line.
        """
        config = self._config()
        lines = self.text.splitlines(keepends=True)
        if PIN in config:
            row = config.lc.key(PIN)[0]
            changed, count = re.subn(
                rf"({re.escape(PIN)}[\"']?\s*:\s*)(\"[^\"]*\"|'[^']*'|[^\s#]+)",
                rf"\g<1>{image_id}",
                lines[row],
                count=1,
            )
            lines[row] = changed
            written = count == 1
        else:
            key = next((name for name in _BEFORE_PIN if name in config), None)
            written = key is not None
            if key is not None:
                row, column = config.lc.key(key)
                if not lines[row].endswith("\n"):
                    lines[row] += "\n"
                lines.insert(row + 1, f"{' ' * column}{PIN}: {image_id}\n")
        new = StackFile(self.path, "".join(lines))
        if not written or not new._says({**config, PIN: image_id}):
            raise PipelineError(
                f"{self.path} is not written as this command expects",
                allowed="one config key a line, as `pulumi config set` writes them",
                change=f"set {PIN}: {image_id} in it by hand",
            )
        return new

    def diff(self, new: StackFile) -> str:
        """The change as a unified diff."""
        return "".join(
            difflib.unified_diff(
                self.text.splitlines(keepends=True),
                new.text.splitlines(keepends=True),
                f"a/{self.path}",
                f"b/{self.path}",
                n=2,
            )
        )

    def write(self) -> None:
        """Put it on disk, in one piece or not at all."""
        new = self.path.with_name(f".{self.path.name}.new")
        new.write_text(self.text, encoding="utf-8")
        new.chmod(self.path.stat().st_mode)
        new.replace(self.path)

    def _says(self, config: dict[str, Any]) -> bool:
        try:
            return dict(self._config()) == config
        except PipelineError:
            return False

    def _config(self) -> CommentedMap:
        try:
            whole = YAML(typ="rt").load(StringIO(self.text))
        except YAMLError as error:
            raise self._not_one(str(error)) from error
        config = whole.get("config") if isinstance(whole, CommentedMap) else None
        if not isinstance(config, CommentedMap):
            raise self._not_one("no mapping called config")
        return config

    def _not_one(self, seen: str) -> PipelineError:
        return PipelineError(
            f"{self.path} is no stack file",
            seen=seen,
            allowed="YAML with a mapping called config",
            change=str(self.path),
        )
