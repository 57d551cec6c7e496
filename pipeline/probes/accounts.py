"""Runs on a machine, as root: which accounts there are, and how each of them can log in or become root.

Handed to the machine's own Python (3.6 or later) by `onmachine`, with `sshd`. Prints one JSON object. No
password hash and no private key leaves the machine. ROOT is a folder to look at instead of /, for tests.
"""

from __future__ import annotations

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

from pipeline.probes.sshd import ELSEWHERE, configuration, daemons, effective, lines, places, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NO_LOGIN = ("/nologin", "/false", "/sync", "/halt", "/shutdown")
PUBLIC_KEY = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[\w@.-]+\s+([A-Za-z0-9+/=]{40,})")
DES_HASH = re.compile(r"[./0-9A-Za-z]{13}$")


def password(field: str) -> str:
    """What crypt(3) and login make of a password field."""
    if not field:
        return "empty"
    return "set" if field[0] in "$_" or DES_HASH.match(field) else "locked"


def accounts(root: str) -> list[dict[str, str]]:
    """Every account of /etc/passwd."""
    shadow = {row[0]: row[1] for row in (line.split(":") for line in lines(root + "/etc/shadow")) if row[1:]}
    found: list[dict[str, str]] = []
    for line in lines(root + "/etc/passwd"):
        name, field, uid, _, _, home, shell = [*line.split(":"), *[""] * 7][:7]
        if not line.strip():
            continue
        if field == "x":
            field = shadow.get(name, "*")
        found.append(
            {"name": name, "uid": uid, "home": home, "shell": shell, "password": password(field)}
        )  # fmt: skip
    return found


def packaged(path: str) -> bool:
    """Whether a file is as a package brought it."""
    path = os.path.realpath(path)
    status, text = run(["dpkg-query", "--search", path])
    if status == 0:
        names = text.splitlines()[0].partition(": ")[0].split(", ")
        return path not in run(["dpkg", "--verify", *names])[1]
    return run(["rpm", "-qf", path])[0] == 0 and path not in run(["rpm", "-V", "--nodeps", "-f", path])[1]


def sudoers(root: str, path: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """File and text of each entry, continued lines joined, in the order in which sudo reads them."""
    if path in seen:
        return
    seen.add(path)
    for line in re.sub(r"\\\n", " ", "\n".join(lines(root + path))).splitlines():
        include = re.match(r"\s*[#@]include(dir)?\s+(.+)", line)
        if include:
            target = (
                include.group(2).strip().strip('"').replace("\\ ", " ").replace("%h", os.uname().nodename)
            )
            target = os.path.join(os.path.dirname(path), target)
            names = [target]
            if include.group(1):
                folder = root + target
                inside = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
                names = [f"{target}/{name}" for name in inside if "." not in name and not name.endswith("~")]
            for name in names:
                yield from sudoers(root, name, seen)
        else:
            text = re.sub(r"(^|\s)#(?!\d).*", "", line).strip()
            if text:
                yield path, text


def user_aliases(entries: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Name of each User_Alias to its members."""
    found = {}
    for _, text in entries:
        if text.startswith("User_Alias"):
            for part in text[len("User_Alias") :].split(":"):
                name, _, members = part.partition("=")
                found[name.strip()] = [member.strip() for member in members.split(",")]
    return found


def people(name: str, aliases: dict[str, list[str]], depth: int = 0) -> list[str]:
    """The members of an alias, or the name itself."""
    if name not in aliases or depth > len(aliases):
        return [name]
    return [one for member in aliases[name] for one in people(member, aliases, depth + 1)]


def asked_for_none(text: str) -> list[str]:
    """Whom an entry of sudoers lets in without a password: names, groups, aliases."""
    if text.startswith("Defaults"):
        return [text.split(maxsplit=1)[0]] if re.search(r"!\s*authenticate\b", text) else []
    left, _, right = text.partition("=")
    if re.match(r"\w+_Alias\b", text) or not re.search(r"\bNOPASSWD\s*:", right):
        return []
    # A blank in a name is quoted or escaped.
    left = re.sub(r'"([^"]*)"', lambda found: found.group(1).replace(" ", "\0"), left).replace("\\ ", "\0")
    return re.sub(r"\s*,\s*", ",", left).split()[0].replace("\0", " ").split(",")


def sudo_without_password(root: str) -> Iterator[dict[str, str]]:
    """Whom sudo asks for no password, and in which file that is written."""
    entries = list(sudoers(root, "/etc/sudoers", set()))
    aliases = user_aliases(entries)
    for file, text in entries:
        for name in asked_for_none(text):
            for one in people(name, aliases):
                if not one.startswith("!"):
                    yield {"who": one, "file": file}


def keys(root: str, account: dict[str, str], setting: str) -> Iterator[dict[str, str]]:
    """The public keys that open an account, in each of its files."""
    tokens = {"%h": account["home"], "%u": account["name"], "%U": account["uid"], "%%": "%"}
    for name in setting.split():
        if name == "none":
            continue
        path = re.sub(r"%[huU%]", lambda found: tokens[found.group()], name)
        path = os.path.normpath(os.path.join(account["home"] or "/", path))
        for line in lines(root + path):
            if line.strip() and not line.lstrip().startswith("#"):
                found = PUBLIC_KEY.search(line)
                yield {"account": account["name"], "file": path, "key": found.group(1) if found else ""}


def logins(people: list[dict[str, str]]) -> tuple[list[dict[str, object]], list[dict[str, str]]]:
    """What each sshd does for whom from where, and the keys that let accounts in."""
    trials = []
    for argv in daemons():
        own = dict(zip(argv[1::2], argv[2::2])).get("-f", "/etc/ssh/sshd_config")
        for number, place in enumerate(places(list(configuration(own, set())))):
            # From a special place only those who would get a shell.
            some = [one for one in people if not number or not one["shell"].endswith(NO_LOGIN)]
            trials += [(argv, one, place) for one in some]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        settings = list(pool.map(lambda trial: effective(trial[0], trial[1]["name"], trial[2]), trials))
    shown: list[dict[str, object]] = []
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for (argv, one, place), setting in zip(trials, settings):
        source = "" if place is ELSEWHERE else f"from {place['addr']}"
        command = setting.get("authorizedkeyscommand", "none")
        known = command == "none" or packaged(command.split()[0])
        shown.append(
            {"daemon": argv, "user": one["name"], "from": source, "packaged": known, "settings": setting}
        )  # fmt: skip
        for key in keys("", one, setting.get("authorizedkeysfile", "")):
            found[tuple(key.values())] = key
    return shown, list(found.values())


def main(root: str) -> None:
    """Print all of it."""
    people = accounts(root)
    rules = [
        {**rule, "packaged": packaged(rule["file"]) if not root else False}
        for rule in sudo_without_password(root)
    ]
    shown, found = logins(people) if not root else ([], [])
    json.dump({"accounts": people, "sudo": rules, "sshd": shown, "keys": found}, sys.stdout)


if __name__ == "__main__":
    main(os.environ.get("ROOT", ""))
