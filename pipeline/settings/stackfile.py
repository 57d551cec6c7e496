"""A stack's config file: read as YAML, changed as text, so that a change is one line in a diff."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

from pipeline import visible
from pipeline.errors import PipelineError

PIN = "golden-image:image"
_NAMESPACE = re.compile("(golden-image|aws):|[^:]*$")
"""A key without a namespace is the project's own."""
_BEFORE_PIN = ("golden-image:from", "golden-image:channel")
_LINE = re.compile("[^\n\r\x85\u2028\u2029]*(?:\r\n|[\n\r\x85\u2028\u2029])|[^\n\r\x85\u2028\u2029]+")
"""One line with its end, as YAML counts lines."""


@dataclass(frozen=True)
class StackFile:
    """A stack's config file.

    Attributes:
        path: Where it is.
        text: What it says, with the line ends that it has.
    """

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path, *, may_lack_config: bool = False) -> StackFile:
        """Read it.

        Args:
            path: Where it is.
            may_lack_config: Whether a file without config is right: a project's is.

        Raises:
            PipelineError: It does not exist, is not UTF-8, or is not YAML with a mapping ``config``.
        """
        try:
            found = cls(path, path.read_bytes().decode("utf-8"))
        except OSError as error:
            raise PipelineError(
                "the stack file cannot be read",
                seen=f"{path}: {error.strerror}",
                change="name it with --config-file",
            ) from error
        except ValueError as error:
            raise PipelineError(
                "the stack file is not UTF-8 text",
                seen=f"{path}: {error}",
                allowed="UTF-8, which Pulumi reads too",
                change=f"save {path} as UTF-8",
            ) from error
        if not may_lack_config or found._whole().get("config") is not None:
            found._config()
        return found

    def config(self) -> dict[str, Any]:
        """The config keys of this project and of AWS as plain data; encrypted values are left out.

        Raises:
            PipelineError: YAML makes something else of a part of it than what is written: a date, or a number that
                loses digits.
        """
        if self._whole().get("config") is None:
            return {}
        values = {
            str(key): self._plain(value, str(key))
            for key, value in self._config().items()
            if _NAMESPACE.match(str(key))
        }
        return {key: _open(value) for key, value in values.items() if not _encrypted(value)}

    def with_pin(self, image_id: str) -> StackFile:
        """The same file with ``golden-image:image`` set; every other character stays.

        Raises:
            PipelineError: The file's form is too unusual to be changed by one line.
        """
        config = self._config()
        lines = _LINE.findall(self.text)
        # Keys that a merge (<<) brings have no line of their own here.
        own = config.lc.data or {}
        if PIN in own:
            row = config.lc.key(PIN)[0]
            lines[row], count = re.subn(
                rf"({re.escape(PIN)}[\"']?\s*:\s*)(\"[^\"]*\"|'[^']*'|[^\s#]+)",
                rf"\g<1>{image_id}",
                lines[row],
                count=1,
            )
            written = count == 1
        else:
            key = next((name for name in _BEFORE_PIN if name in own), None)
            written = key is not None
            if key is not None:
                row, column = config.lc.key(key)
                end = _end(lines[row]) or _end(lines[0]) or "\n"
                if not _end(lines[row]):
                    lines[row] += end
                lines.insert(row + 1, f"{' ' * column}{PIN}: {image_id}{end}")
        new = StackFile(self.path, "".join(lines))
        if not written or not new._says({**config, PIN: image_id}):
            raise PipelineError(
                f"{self.path} is not written as this command expects",
                allowed="one config key a line, as `pulumi config set` writes them",
                change=f"set {PIN}: {image_id} in it by hand",
            )
        return new

    def diff(self, new: StackFile) -> str:
        """The change as a unified diff; what is not printable is escaped."""
        before, after = ([visible.lines(line) for line in _lines(one.text)] for one in (self, new))
        lines = difflib.unified_diff(before, after, f"a/{self.path}", f"b/{self.path}", n=2, lineterm="")
        return "".join(f"{line}\n" for line in lines)

    def write(self) -> None:
        """Put it on disk, in one piece or not at all. Owner and mode stay, and a link goes on naming its file.

        Raises:
            PipelineError: It cannot be written; then it is as it was.
        """
        try:
            _replace(self.path.resolve(strict=True), self.text.encode("utf-8"))
        except OSError as error:
            raise PipelineError(
                "the stack file cannot be written, and is as it was",
                seen=f"{self.path}: {error.strerror}",
                change=f"write the line into {self.path} by hand, where it can be written",
            ) from error

    def _says(self, config: dict[str, Any]) -> bool:
        try:
            return dict(self._config()) == config
        except PipelineError:
            return False

    def _whole(self) -> CommentedMap:
        try:
            with warnings.catch_warnings():
                # YAML allows an anchor's name to be used again.
                warnings.simplefilter("ignore", ReusedAnchorWarning)
                whole = YAML(typ="rt").load(StringIO(self.text))
        # Beside errors of its own the parser lets through what a value's conversion raises, whatever that is.
        except (YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise self._not_one(str(error)) from error
        return whole if isinstance(whole, CommentedMap) else CommentedMap()

    def _config(self) -> CommentedMap:
        config = self._whole().get("config")
        if not isinstance(config, CommentedMap):
            raise self._not_one("no mapping called config")
        return config

    def _not_one(self, seen: str) -> PipelineError:
        return PipelineError(
            f"{self.path} is not a stack file",
            seen=seen,
            allowed="YAML with a mapping called config",
            change=str(self.path),
        )

    def _plain(self, value: Any, key: str) -> Any:
        match value:
            case None | bool():
                return value
            case str():
                return str(value)
            case int():
                return int(value)
            # Pulumi hands 1.10 and 1.0 on as 1.1 and 1.
            case float():
                written, read = _written(value), repr(float(value)).removesuffix(".0")
                if written == read:
                    return float(value)
                raise self._unquoted(key, f"{written}, a number that YAML reads as {read}")
            case dict():
                return {str(name): self._plain(inner, f"{key}.{name}") for name, inner in value.items()}
            case list():
                return [self._plain(inner, f"{key}[{number}]") for number, inner in enumerate(value)]
            case _:
                kind = {"datetime": "a date", "date": "a date", "TimeStamp": "a date"}
                raise self._unquoted(key, f"{kind.get(type(value).__name__, 'no text')} to YAML: {value}")

    def _unquoted(self, key: str, seen: str) -> PipelineError:
        return PipelineError(
            f"YAML reads {key} as another value than the file shows",
            seen=seen,
            allowed='a text in quotes, such as "1.10"',
            change=f"{key} in {self.path}",
        )


def _encrypted(value: Any) -> bool:
    """Whether a value is one that Pulumi has encrypted."""
    return isinstance(value, dict) and value.keys() == {"secure"}


def _open(value: Any) -> Any:
    """What is not encrypted of a value."""
    match value:
        case dict():
            return {key: _open(inner) for key, inner in value.items() if not _encrypted(inner)}
        case list():
            return [_open(inner) for inner in value if not _encrypted(inner)]
        case _:
            return value


def _written(value: float) -> str:
    """How a number is written in the file that it was read from."""
    text = StringIO()
    YAML(typ="rt").dump([value], text)
    return text.getvalue().removeprefix("- ").strip()


def _lines(text: str) -> list[str]:
    """Its lines without their ends."""
    return [line.removesuffix(_end(line)) for line in _LINE.findall(text)]


def _end(line: str) -> str:
    """How a line ends; empty for a last one that does not."""
    return line[len(line.rstrip("\n\r\x85\u2028\u2029")) :]


def _replace(target: Path, content: bytes) -> None:
    """Another content for a file that is there, with its owner, mode and extended attributes.

    Raises:
        OSError: It cannot be; then nothing has changed.
    """
    if not os.access(target, os.W_OK):
        raise PermissionError(1, "it is read-only")
    was = target.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            # A full disk may show only now.
            os.fsync(file.fileno())
        os.chown(name, was.st_uid, was.st_gid)
        shutil.copystat(target, name)
        os.utime(name)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
