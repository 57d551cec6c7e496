"""What a value of stack config must look like, each with the words of its refusal."""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError, core_schema

from pipeline import model, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

BROADEST_PREFIX = 8
"""The widest range of addresses that may be let in, as a prefix length."""

REFUSED = "refused"
"""Type of the errors that have their own words: `allowed`, and `problem`, which follows the key's name."""


def refused(allowed: str, problem: str = "is not valid") -> PydanticCustomError:
    """An error with the words of its own."""
    return PydanticCustomError(REFUSED, "refused", {"allowed": allowed, "problem": problem})


@dataclass(frozen=True)
class Kind:
    """An annotation: whatever is wrong with the value, this is what would be right.

    Attributes:
        allowed: What would be right, in words.
    """

    allowed: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate as ever, but with the error's words."""

        def check(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
            try:
                found = validate(value)
            except ValueError:
                raise self.refusal(value) from None
            if not self.matches(found):
                raise self.refusal(value)
            return found

        return core_schema.no_info_wrap_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """As ever, with `for_editors`."""
        return {**handler(schema), **self.for_editors()}

    def for_editors(self) -> dict[str, Any]:
        """What JSON Schema can say of a right value."""
        return {}

    def matches(self, value: Any) -> bool:
        """Whether a value of the right type is right."""
        del value
        return True

    def refusal(self, value: Any) -> PydanticCustomError:
        """The error for a value."""
        del value
        return refused(self.allowed)


@dataclass(frozen=True)
class Text(Kind):
    """A text of a certain form. A digit is one of 0 to 9, not of any script.

    Attributes:
        pattern: Regular expression that the whole value must match.
    """

    pattern: str

    def for_editors(self) -> dict[str, Any]:
        """JSON Schema's patterns match anywhere."""
        return {"pattern": f"^(?:{self.pattern})$"}

    def matches(self, value: Any) -> bool:
        """Whether the whole text looks like that."""
        return re.fullmatch(self.pattern, value, re.ASCII) is not None


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number of a range.

    Attributes:
        minimum: The lowest.
        maximum: The highest.
    """

    minimum: int
    maximum: int

    def __init__(self, minimum: int, maximum: int) -> None:
        super().__init__(f"a whole number from {minimum} to {maximum}")
        object.__setattr__(self, "minimum", minimum)
        object.__setattr__(self, "maximum", maximum)

    def for_editors(self) -> dict[str, Any]:
        """The same in JSON Schema."""
        return {"minimum": self.minimum, "maximum": self.maximum}

    def matches(self, value: Any) -> bool:
        """Whether the number is in the range."""
        return self.minimum <= int(value) <= self.maximum


@dataclass(frozen=True)
class OneOf(Kind):
    """One of a few words; the error suggests the nearest.

    Attributes:
        among: The words.
    """

    among: tuple[str, ...]

    def __init__(self, *among: str) -> None:
        super().__init__(" or ".join(among))
        object.__setattr__(self, "among", among)

    def for_editors(self) -> dict[str, Any]:
        """The same in JSON Schema."""
        return {"enum": list(self.among)}

    def matches(self, value: Any) -> bool:
        """Whether it is one of them."""
        return value in self.among

    def refusal(self, value: Any) -> PydanticCustomError:
        """The error, with the nearest word."""
        near = nearest(visible.cut(str(value), visible.VALUE_LENGTH), self.among)
        return refused(self.allowed, f"is not valid{near}")


@dataclass(frozen=True)
class Network(Kind):
    """A range of IPv4 addresses that is not the whole world, such as ``192.0.2.7/32``."""

    allowed: str = f"an IPv4 network such as 192.0.2.7/32, at most a /{BROADEST_PREFIX}; never 0.0.0.0/0"

    def matches(self, value: Any) -> bool:
        """Whether it is one.

        Raises:
            PydanticCustomError: It is not, and why.
        """
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError as error:
            why = visible.cut(str(error), visible.VALUE_LENGTH)
            raise refused(self.allowed, f"is not valid: {why}") from None
        if network.prefixlen < BROADEST_PREFIX:
            raise refused(self.allowed, "lets in too many addresses")
        return True


NAME = Text(
    "a name of lower-case letters, digits and hyphens that begins with a letter (at most 32 characters)",
    r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?",
)
IMAGE_ID = Text("an image id: ami- and 8 or 17 hexadecimal digits", r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
SUBNET_ID = Text("a subnet id: subnet- and 8 to 17 hexadecimal digits", r"subnet-[0-9a-f]{8,17}")
SECURITY_GROUP_ID = Text("a security group id: sg- and 8 to 17 hexadecimal digits", r"sg-[0-9a-f]{8,17}")
TARGET_GROUP_ARN = Text(
    "the ARN of a target group, arn:aws:elasticloadbalancing:…:targetgroup/…",
    r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]+",
)
DURATION = Text("a number and m, h or d, such as 90m, 24h or 3d", r"[1-9][0-9]{0,4}[mhd]")
INSTANCE_TYPE = Text("an instance type such as t3.micro", r"[a-z0-9-]+\.[a-z0-9-]+")
USER = Text("a Unix user name such as ec2-user", r"[a-z_][a-z0-9_-]{0,31}")
OWNER = Text("self, amazon, aws-marketplace or a 12-digit account", r"self|amazon|aws-marketplace|[0-9]{12}")
REGION = Text("a region such as eu-west-1", model.REGION)
PROFILE = Text(
    "a profile's name of letters, digits and + = , . @ : / - _ (at most 128 characters)",
    r"[A-Za-z0-9_+=,.@:/-][A-Za-z0-9_+=,.@:/ -]{0,127}",
)
INSTANCE_PROFILE = Text(
    "an instance profile's name of letters, digits and + = , . @ - _ (at most 128 characters)",
    r"[A-Za-z0-9_+=,.@-]{1,128}",
)
_HIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
SCRIPT = Text("a command without control characters (at most 16,384 characters)", rf"[^{_HIDDEN}]{{1,16384}}")
ALARM = Text(
    "an alarm's name without control characters (at most 255 characters)", rf"[^\t\n{_HIDDEN}]{{1,255}}"
)
CHECK = Text("the name of a check, such as test_web.py::test_health", r".*::.*")
REASON = Text("a reason", r"(?s:.*\S.*)")
FLAG = Kind("true or false, without quotes")


@dataclass(frozen=True)
class Words:
    """An annotation for the reference alone: what a mapping must look like, whose items refuse by themselves."""

    allowed: str


def list_of(item: Kind) -> Kind:
    """The words for a list."""
    return Kind(f"a list, each item {item.allowed}")


def nearest(word: str, words: Iterable[str]) -> str:
    """`` (did you mean X?)`` for a word near enough, else nothing; capitals don't count."""
    by_lower = {candidate.lower(): candidate for candidate in words}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""
