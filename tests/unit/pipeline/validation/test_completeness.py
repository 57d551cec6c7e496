"""What becomes of results that are not there, and of skips."""

from pipeline import results
from pipeline.results import CheckResult
from pipeline.validation import completeness


def test_a_skip_that_the_stack_allows() -> None:
    skipped = CheckResult(check="test_a.py::test_b[1]", address="", outcome=results.SKIPPED, seconds=0)
    allowed = completeness.without_skips([skipped], {"test_a.py::test_b": "no such hardware"})
    assert (
        completeness.counts([*allowed, *completeness.without_skips([skipped], {})]) == "1 failed, 1 skipped"
    )
