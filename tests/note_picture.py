"""Takes the picture docs/note.png: golden notes as a person sees them in a merge request.

Usage: python -m tests.note_picture   (needs chromium; Debian: apt-get install chromium)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from lab.workbench import PROJECT

GOLDEN = PROJECT / "tests/unit/pipeline/review/golden"
PICTURE = PROJECT / "docs/note.png"
NOTES = ("new-image-dev", "rollback")
SIZE = (1000, 1440)
"""Width and height of the window in pixels."""

PAGE = """<!doctype html>
<meta charset="utf-8">
<style>
  body {{ font: 14px/1.5 "DejaVu Sans", sans-serif; color: #1f2328; margin: 24px; background: #fff; }}
  h2 {{ font-size: 20px; border-bottom: 1px solid #d1d9e0; padding-bottom: 6px; }}
  h3 {{ font-size: 16px; line-height: 1.4; margin-top: 26px; }}
  code {{ font: 12px "DejaVu Sans Mono", monospace; background: #eff1f3; padding: 2px 4px; border-radius: 5px; }}
  pre {{ background: #f6f8fa; padding: 12px; border-radius: 6px; overflow: hidden; }}
  pre code {{ background: none; padding: 0; line-height: 1.45; }}
  table {{ border-collapse: collapse; }}
  th, td {{ border: 1px solid #d1d9e0; padding: 5px 10px; text-align: left; }}
  summary {{ cursor: pointer; }}
</style>
{body}
"""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""It renders one file of this machine, and asks nobody for anything."""


def page() -> str:
    """The notes as one, in HTML; the first one's table of resources is unfolded."""
    first, *more = ((GOLDEN / f"{name}.md").read_text(encoding="utf-8") for name in NOTES)
    # One note has several stacks: its head comes once.
    text = first + "\n" + "\n".join(note[note.index("\n### ") :] for note in more)
    body = MarkdownIt("commonmark").enable("table").render(text)
    return PAGE.format(body=body.replace("<details>", "<details open>", 1))


def main() -> int:
    """Take it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not on PATH; Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "note.html"
        html.write_text(page(), encoding="utf-8")
        where = [f"--user-data-dir={folder}/profile", f"--screenshot={PICTURE}"]
        window = f"--window-size={SIZE[0]},{SIZE[1]}"
        subprocess.run([chromium, *FLAGS, *where, window, html.as_uri()], check=True, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
