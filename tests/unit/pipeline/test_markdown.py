"""A text from outside in a note stays text."""

import pytest

from pipeline import markdown


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("plain", "plain"),
        ("*bold* _it_ `code` [a](b)", r"\*bold\* \_it\_ \`code\` \[a\](b)"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("a\nb\r\n  c", "a b c"),
        ("@everyone #1", "&#64;&#8203;everyone \\#&#8203;1"),
        ("see https://example.com", "see https:&#8203;//example.com"),
        ("/merge", "\\/merge"),
        ("1. first", "1\\. first"),
        ("- item", "\\- item"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
    ],
)
def test_plain(text: str, page: str) -> None:
    assert markdown.plain(text) == page


@pytest.mark.parametrize(
    ("text", "page"),
    [("ami-1", "`ami-1`"), ("a`b", "`a'b`"), ("a|b", r"`a\|b`"), ("a\n\nb", "`a b`"), ("\x07", r"`\x07`")],
)
def test_code(text: str, page: str) -> None:
    assert markdown.code(text) == page
