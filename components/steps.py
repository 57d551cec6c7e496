"""What all command resources share."""

from __future__ import annotations

INTERPRETER = ["bin/step"]
"""Runs a step of the pipeline: the command is the step's name, its plan comes on stdin as JSON.

Relative to the project's folder, which is the working directory of a command without ``dir``. An absolute
path would differ between checkouts and so run every step again.
"""
