"""What the SSH daemons of a machine would do, for whom and from where.

Runs on the machine, with its own Python (3.6 or later).
"""

from __future__ import annotations

import glob
import ipaddress
import os
import re
import shlex
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED = (
    "permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication", "challengeresponseauthentication",
    "permitemptypasswords", "hostbasedauthentication", "authenticationmethods", "authorizedkeysfile",
    "authorizedkeyscommand", "trustedusercakeys",
)  # fmt: skip
ELSEWHERE = {
    "addr": "203.0.113.9",
    "host": "203.0.113.9",
    "laddr": "203.0.113.1",
    "lport": "22",
}
"""A client that no Match block has been written for."""

CRITERIA = {
    "address": "addr",
    "host": "host",
    "localaddress": "laddr",
    "localport": "lport",
}


def run(argv: list[str]) -> tuple[int, str]:
    """Exit status and output of a command; a command that is not there has failed."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def lines(path: str) -> list[str]:
    """A file's lines; none if it is not there."""
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8", errors="surrogateescape") as text:
        return text.read().splitlines()


def daemons() -> list[list[str]]:
    """Program and options of each sshd that listens, or of the one that would."""
    found = []
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(folder + "/comm") as text, open(folder + "/cmdline", "rb") as raw:
                name, title = text.read().strip(), raw.read().decode("utf-8", "replace")
            program = os.readlink(folder + "/exe")
            with open(folder + "/stat") as text:
                parent = text.read().rpartition(")")[2].split()[1]
        except OSError:  # gone since
            continue
        if name == "sshd" and ("[listener]" in title or parent == "1") and "sshd-session" not in program:
            found.append([program.replace(" (deleted)", ""), *options(title)])
    unique = {tuple(argv): argv for argv in found}
    return list(unique.values()) or [["/usr/sbin/sshd"]]


def options(title: str) -> list[str]:
    """Those options of an sshd that change its configuration, from its title (OpenSSH 8.2 and later) or its arguments.

    A title has lost its quotes: a value goes on up to the next option.
    """
    words = title.partition("[listener]")[0].replace("\0", " ").split()
    kept: list[str] = []
    value = False
    for word in words:
        if re.match(r"-[A-Za-z]", word):
            value = word[:2] in {"-o", "-f", "-p"}
            if value:
                kept += [word[:2], word[2:]]
        elif value:
            kept[-1] = (kept[-1] + " " + word).strip()
    return kept


def configuration(path: str, seen: set[str]) -> Iterator[str]:
    """Lines of an sshd_config and of all that it includes."""
    if path in seen:
        return
    seen.add(path)
    for line in lines(path):
        include = re.match(r"\s*include[\s=]+(.+)", line, re.IGNORECASE)
        if include:
            for pattern in shlex.split(include.group(1), comments=True):
                for name in sorted(glob.glob(os.path.join("/etc/ssh", pattern))):
                    yield from configuration(name, seen)
        else:
            yield line


def places(text: list[str]) -> list[dict[str, str]]:
    """From where to try: one client for each Match block that asks for more than user and group, and one for none."""
    found = [ELSEWHERE]
    for line in text:
        match = re.match(r"\s*match\s+(.+)", line, re.IGNORECASE)
        if not match:
            continue
        words = shlex.split(re.sub(r"\b(\w+)=", r"\1 ", match.group(1)), comments=True)
        wanted = {
            CRITERIA[name.lower()]: sample(value)
            for name, value in zip(words, words[1:])
            if name.lower() in CRITERIA
        }
        place = {**ELSEWHERE, **wanted}
        if "addr" in wanted and "host" not in wanted:
            place["host"] = wanted["addr"]
        if place not in found:
            found.append(place)
    return found


def sample(patterns: str) -> str:
    """A value that the first pattern of a list matches which is not negated."""
    first = next((one for one in patterns.split(",") if not one.startswith("!")), "203.0.113.9")
    try:
        network = ipaddress.ip_network(first, strict=False)
    except ValueError:
        return first.replace("*", "1").replace("?", "1")
    return str(network[min(1, network.num_addresses - 1)])


def effective(argv: list[str], user: str, place: dict[str, str]) -> dict[str, str]:
    """What an sshd would do for a user who comes from there."""
    where = ",".join([f"user={user}", *(f"{key}={value}" for key, value in place.items())])
    status, text = run([*argv, "-T", "-C", where])
    if status != 0:
        sys.exit(f"{' '.join(argv)} -T -C {where}: {text.strip()}")
    pairs = (line.split(" ", 1) for line in text.splitlines() if " " in line)
    return {key: value for key, value in pairs if key in ASKED}
