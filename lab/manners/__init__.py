"""AWS's manners: how it answers late, stale or not at all, where moto answers at once and for good.

Each is a class with a name and with the source that it rests on. All are off unless asked for:
`python -m lab up --manners [NAME,…]`, or at run time by PUT /lab-api/manners. Calls of `environment.ONLOOKER`
see the account as it is: a test looks with that key at what has come of the program's calls.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from lab.errors import LabError
from lab.kept import read, write

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "throttling",
    "stale-reads",
    "late-image-parameters",
    "pending",
    "old-console",
    "reused-addresses",
    "encryption",
)
"""All of them."""

SEED = 1
PACES = ("lab", "aws")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which manners are on.

    Attributes:
        names: Of `NAMES`.
        seed: Of all chance: the same one and the same order of calls give the same answers.
        pace: ``lab`` or ``aws``: how long the phases take; ``aws`` has them in any case.
    """

    names: tuple[str, ...] = ()
    seed: int = SEED
    pace: Literal["lab", "aws"] = "lab"

    @classmethod
    def of(cls, given: Any) -> Choice:
        """From JSON: a list of names, or an object.

        Raises:
            LabError: A name or the pace is not known.
        """
        values = given if isinstance(given, dict) else {"names": given}
        asked = {*values.get("names", ()), *(("pending",) if values.get("pace") == "aws" else ())}
        names = tuple(name for name in NAMES if name in asked)
        unknown = sorted(asked - set(NAMES))
        if unknown:
            raise LabError(
                f"the lab does not know the manner {', '.join(unknown)}",
                hint=f"it knows {', '.join(NAMES)}",
            )
        choice = cls(**{**values, "names": names})
        if choice.pace not in PACES:
            raise LabError(
                f"the lab does not know the pace {choice.pace!r}", hint=f"it knows {', '.join(PACES)}"
            )
        return choice

    def keep(self, path: Path) -> None:
        """Write it to a file, for the next start."""
        write(path, json.dumps(asdict(self)).encode())


def kept(path: Path) -> Choice:
    """What `Choice.keep` wrote; none are on if it never did."""
    return read(path, lambda data: Choice.of(json.loads(data))) if path.exists() else Choice()
