"""From pydantic's errors to the one error of four parts that a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.settings.keys import mapping_of
from pipeline.settings.kinds import REFUSED, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError

    from pipeline.settings.keys import Keys

NOTHING = object()


def refusal(wrong: ValidationError, model: type[Keys], file: str, *, prefix: str = "") -> PipelineError:
    """The error for values that do not fit: the first; a misspelt key comes before the one that is missed for it.

    Args:
        wrong: What pydantic found.
        model: What the values were to be.
        file: The file that holds them.
        prefix: What a key's name begins with there, such as ``golden-image:``.
    """
    error = min(wrong.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    path = [str(part) for part in error["loc"] if part != "[key]"]
    name = f"{prefix}{visible.cut('.'.join(path), visible.VALUE_LENGTH)}"
    match error["type"]:
        case "extra_forbidden":
            known = sorted(_names(model, path[:-1]))
            problem = f"is not a known key{nearest(path[-1], known)}"
            return key_error(name, problem, file, seen=path[-1], allowed=", ".join(known))
        case "missing":
            return key_error(name, "is required", file, allowed=_allowed(model, path))
        case found if found == REFUSED:
            context = error["ctx"]
            return key_error(name, context["problem"], file, seen=error["input"], allowed=context["allowed"])
        case _:
            allowed = "a mapping of keys to values"
            return key_error(name, "is not valid", file, seen=error["input"], allowed=allowed)


def key_error(name: str, problem: str, file: str, *, seen: Any = NOTHING, allowed: str) -> PipelineError:
    """An error about one key that quotes the value seen and says where to change it."""
    return PipelineError(
        f"{name} {problem}",
        seen="nothing" if seen is NOTHING else visible.quoted(seen),
        allowed=allowed,
        change=f"{name} in {file}",
    )


def _names(model: type[Keys], path: Sequence[str]) -> list[str]:
    """The keys of the mapping at a path."""
    return [str(field.alias) for field in _at(model, path).model_fields.values()]


def _at(model: type[Keys], path: Sequence[str]) -> type[Keys]:
    """The mapping at a path."""
    for part in path:
        field = next(field for field in model.model_fields.values() if (field.alias or "") == part)
        inner = mapping_of(field.annotation)
        assert inner is not None
        model = inner
    return model


def _allowed(model: type[Keys], path: Sequence[str]) -> str:
    """What the value at a path may be."""
    fields = _at(model, path[:-1]).model_fields.values()
    field = next(field for field in fields if field.alias == path[-1])
    return next(str(one.allowed) for one in field.metadata if hasattr(one, "allowed"))
