"""One clear text."""

from pipeline.errors import PipelineError


def test_all_parts() -> None:
    error = PipelineError("what is wrong", seen="a\nb", allowed="c", change="d")
    assert str(error) == ("what is wrong\n  seen:    a\n           b\n  allowed: c\n  to do:   d")


def test_only_what_is_known() -> None:
    assert str(PipelineError("what is wrong")) == "what is wrong"
