"""Takes secrets out of what machines and checks have to say, before it is printed or written."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.scanning import gitleaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.results import CheckResult


def results(found: Sequence[CheckResult]) -> list[CheckResult]:
    """The results; their names (which have parameters), what they have seen and wanted without secrets.

    Raises:
        PipelineError: Gitleaks cannot be run.
    """
    texts = [text for result in found for text in (result.check, result.seen, result.wanted)]
    # All at once, for gitleaks takes its time to start; nobody can know the line between them.
    line = f"\n{secrets.token_hex(8)}\n"
    clean = iter(gitleaks.redacted(line.join(texts)).split(line) if any(texts) else texts)
    return [replace(result, check=next(clean), seen=next(clean), wanted=next(clean)) for result in found]


def error(wrong: PipelineError) -> PipelineError:
    """The same error, without secrets.

    Raises:
        PipelineError: Gitleaks cannot be run.
    """
    return PipelineError(
        gitleaks.redacted(wrong.what),
        seen=gitleaks.redacted(wrong.seen) if wrong.seen else None,
        allowed=wrong.allowed,
        change=wrong.change,
    )
