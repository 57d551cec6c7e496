"""What each mapping of config is made from."""

from __future__ import annotations

from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class Keys(BaseModel):
    """A mapping of config whose keys are all known. A key without a value, or with an empty text, has its default."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _with_a_value(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None and value != ""}


def mapping_of(annotation: Any) -> type[Keys] | None:
    """The mapping that a field holds, also one that may be left out (``GroupKeys | None``); None if it holds none."""
    kinds = get_args(annotation) if get_origin(annotation) is UnionType else (annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Keys)), None)
