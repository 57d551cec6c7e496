"""Reading one section of stack config, strictly: every value has a type, a range and a name in its error.

No Pulumi here: a section is a plain mapping, so that the rules are tested in milliseconds.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import model, visible
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BROADEST_PREFIX = 8
"""The widest range of addresses that may be let in, as a prefix length."""


@dataclass(frozen=True)
class TextRule:
    """What a text value must look like.

    Attributes:
        pattern: Regular expression that the whole value must match.
        allowed: The same in words, for the error.
    """

    pattern: str
    allowed: str

    def matches(self, text: str) -> bool:
        """Whether the whole text looks like that. A digit is one of 0 to 9, not of any script."""
        return re.fullmatch(self.pattern, text, re.ASCII) is not None


NAME = TextRule(
    r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?",
    "a name of lower-case letters, digits and hyphens that begins with a letter (at most 32 characters)",
)
IMAGE_ID = TextRule(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})", "an image id: ami- and 8 or 17 hexadecimal digits")
SUBNET_ID = TextRule(r"subnet-[0-9a-f]{8,17}", "a subnet id: subnet- and 8 to 17 hexadecimal digits")
SECURITY_GROUP_ID = TextRule(r"sg-[0-9a-f]{8,17}", "a security group id: sg- and 8 to 17 hexadecimal digits")
INSTANCE_TYPE = TextRule(r"[a-z0-9-]+\.[a-z0-9-]+", "an instance type such as t3.micro")
USER = TextRule(r"[a-z_][a-z0-9_-]{0,31}", "a Unix user name such as ec2-user")
OWNER = TextRule(r"self|amazon|aws-marketplace|\d{12}", "self, amazon, aws-marketplace or a 12-digit account")
REGION = TextRule(model.REGION, "a region such as eu-west-1")
PROFILE = TextRule(
    r"[\w+=,.@:/-][\w+=,.@:/ -]{0,127}",
    "a profile's name of letters, digits and + = , . @ : / - _ (at most 128 characters)",
)
INSTANCE_PROFILE = TextRule(
    r"[\w+=,.@-]{1,128}",
    "an instance profile's name of letters, digits and + = , . @ - _ (at most 128 characters)",
)
_HIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
SCRIPT = TextRule(
    rf"[^{_HIDDEN}]{{1,16384}}", "a command without control characters (at most 16,384 characters)"
)
ANY = TextRule(
    rf"[^{_HIDDEN}\t\n]{{1,4096}}", "one line of text without control characters (at most 4,096 characters)"
)


class Section:
    """One mapping of stack config whose keys are all known.

    Args:
        values: The section's keys and values, as parsed from YAML.
        known: Every key that may occur.
        path: The section's name in config, such as ``golden-image:validation``; ``golden-image:`` for the top.
        stack_file: The file that holds it, for the errors.

    Raises:
        PipelineError: A key is not known; the error suggests the nearest that is.
    """

    def __init__(
        self, values: Mapping[str, Any], *, known: Iterable[str], path: str, stack_file: str
    ) -> None:
        self._values = values
        self._path = path
        self._stack_file = stack_file
        names = sorted(known)
        for key in values:
            if key not in names:
                raise self._unknown(key, names)

    def name(self, key: str) -> str:
        """The key as a person writes it, such as ``golden-image:validation.clones``."""
        return f"{self._path}{key}" if self._path.endswith(":") else f"{self._path}.{key}"

    def has(self, key: str) -> bool:
        """Whether the key has a value; an empty text counts as none."""
        return self._values.get(key) not in (None, "")

    def error(self, key: str, what: str, *, allowed: str) -> PipelineError:
        """An error about one key that quotes the value seen and says where to change it."""
        seen = visible.quoted(self._values[key]) if self.has(key) else "nothing"
        return PipelineError(
            what, seen=seen, allowed=allowed, change=f"{self.name(key)} in {self._stack_file}"
        )

    def text(self, key: str, default: str | None = None, *, rule: TextRule = ANY) -> str:
        """A text that matches `rule`.

        Raises:
            PipelineError: It is missing and has no default, is no text, or does not match.
        """
        value = self.optional_text(key, rule=rule)
        if value is not None:
            return value
        if default is None:
            raise self.error(key, f"{self.name(key)} is required", allowed=rule.allowed)
        return default

    def optional_text(self, key: str, *, rule: TextRule = ANY) -> str | None:
        """Like `text`, and None where the key has no value."""
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, str) or not rule.matches(value):
            raise self.error(key, f"{self.name(key)} is not valid", allowed=rule.allowed)
        return value

    def choice(self, key: str, default: str, *, among: Sequence[str]) -> str:
        """One of a few words.

        Raises:
            PipelineError: It is none of them; the error suggests the nearest.
        """
        if not self.has(key):
            return default
        value = self._values[key]
        if value not in among:
            near = _nearest(visible.cut(str(value), visible.VALUE_LENGTH), among)
            raise self.error(key, f"{self.name(key)} is not valid{near}", allowed=" or ".join(among))
        return str(value)

    def integer(self, key: str, default: int, *, minimum: int, maximum: int) -> int:
        """A whole number of a range.

        Raises:
            PipelineError: It is no whole number or out of range.
        """
        if not self.has(key):
            return default
        value = self._values[key]
        # bool is an int to Python, not to whoever wrote `clones: true`.
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            allowed = f"a whole number from {minimum} to {maximum}"
            raise self.error(key, f"{self.name(key)} is not valid", allowed=allowed)
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false.

        Raises:
            PipelineError: It is something else.
        """
        if not self.has(key):
            return default
        value = self._values[key]
        if not isinstance(value, bool):
            raise self.error(key, f"{self.name(key)} is not valid", allowed="true or false, without quotes")
        return value

    def texts(self, key: str, default: Sequence[str], *, rule: TextRule) -> tuple[str, ...]:
        """A list of texts that each match `rule`.

        Raises:
            PipelineError: It is no list, or one of them does not match.
        """
        if not self.has(key):
            return tuple(default)
        value = self._values[key]
        if not isinstance(value, list) or not all(
            isinstance(item, str) and rule.matches(item) for item in value
        ):
            raise self.error(
                key, f"{self.name(key)} is not valid", allowed=f"a list, each item {rule.allowed}"
            )
        return tuple(value)

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping, empty where the key has no value.

        Raises:
            PipelineError: It is something else.
        """
        if not self.has(key):
            return {}
        value = self._values[key]
        if not isinstance(value, dict):
            raise self.error(key, f"{self.name(key)} is not valid", allowed="a mapping of keys to values")
        return value

    def section(self, key: str, *, known: Iterable[str]) -> Section:
        """The mapping under a key as a section of its own."""
        return Section(self.mapping(key), known=known, path=self.name(key), stack_file=self._stack_file)

    def optional_cidr(self, key: str) -> str | None:
        """A range of IPv4 addresses that is not the whole world, such as ``192.0.2.7/32``.

        Raises:
            PipelineError: It is no network address, or broader than a /8.
        """
        value = self.optional_text(key)
        if value is None:
            return None
        allowed = f"an IPv4 network such as 192.0.2.7/32, at most a /{BROADEST_PREFIX}; never 0.0.0.0/0"
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError as error:
            why = visible.cut(str(error), visible.VALUE_LENGTH)
            raise self.error(key, f"{self.name(key)} is not valid: {why}", allowed=allowed) from None
        if network.prefixlen < BROADEST_PREFIX:
            raise self.error(key, f"{self.name(key)} lets in too many addresses", allowed=allowed)
        return str(network)

    def _unknown(self, key: str, names: Sequence[str]) -> PipelineError:
        return PipelineError(
            f"{self.name(visible.cut(key, visible.VALUE_LENGTH))} is not a known key{_nearest(key, names)}",
            seen=visible.quoted(key),
            allowed=", ".join(names),
            change=f"{self.name(visible.cut(key, visible.VALUE_LENGTH))} in {self._stack_file}",
        )


def _nearest(word: str, words: Sequence[str]) -> str:
    """`` (did you mean X?)`` for a word near enough, else nothing; capitals don't count."""
    by_lower = {candidate.lower(): candidate for candidate in words}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""
