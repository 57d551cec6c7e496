"""Who can log in to a machine of the image, or become root there, without having been let in at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.machines import onmachine
from pipeline.machines.clones import say
from pipeline.results import FAILED, PASSED, SKIPPED, CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.machines.clones import Clone
    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession

CHECK = "accounts"
ALLOW = "golden-image:validation.allowedSkips"
"""Where a stack allows a finding, by the name of the check and with a reason."""

KEY_COMMANDS = ("eic_run_authorized_keys", "sss_ssh_authorizedkeys", "google_authorized_keys", "userdbctl")
"""What distributions set as sshd's AuthorizedKeysCommand: these ask a service at run time."""

WANTED = {
    "permitrootlogin": "no or prohibit-password",
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "challengeresponseauthentication": "no",
    "permitemptypasswords": "no",
    "hostbasedauthentication": "no",
}
"""Settings of sshd (`sshd -T`) that are refused with the value `yes`."""

BY_PASSWORD = ("passwordauthentication", "kbdinteractiveauthentication", "challengeresponseauthentication")
NAMED = 5
"""How many users a finding names."""

KINDS = ("empty-password", "password", "uid-0", "sudo-without-password", "authorized-key", "sshd")


def check(
    clone: Clone, *, access: SshSession, allowed: Mapping[str, str], deadline: Deadline
) -> list[CheckResult]:
    """The accounts of one machine: machines of one image have the same.

    Args:
        clone: The machine.
        access: The way in; its user is the one that cloud-init gives sudo to.
        allowed: Name of a check to the reason why its finding is accepted.
        deadline: When to give up.

    Raises:
        PipelineError: The machine could not be asked.
    """
    started = deadline.elapsed()
    source = onmachine.program("accounts")
    seen = onmachine.ask(clone, source, access=access, deadline=deadline, purpose="read the accounts")
    results = judge(seen, clone, user=access.user, key=access.public_key, allowed=allowed)
    wrong = sum(result.outcome == FAILED for result in results)
    say(
        f"{clone}: {len(seen['accounts'])} accounts ({deadline.elapsed() - started:.1f} s): {wrong or 'no'} findings"
    )
    return results


def judge(
    seen: Mapping[str, Any], clone: Clone, *, user: str, key: str, allowed: Mapping[str, str]
) -> list[CheckResult]:
    """One result for each finding, and one for each kind without any.

    Args:
        seen: What `pipeline.probes.accounts` prints.
        clone: The machine.
        user: The user that cloud-init makes at boot.
        key: The public key that it gives to that user, as authorized_keys has it.
        allowed: Name of a check to the reason why its finding is accepted.
    """
    found = list(_findings(seen, user, key.split()[1]))
    results = []
    for kind in KINDS:
        mine = [finding for finding in found if finding[0] == kind]
        if not mine:
            results.append(_result(f"{CHECK}::{kind}", clone, PASSED))
        for name in sorted({name for _, name, _, _ in mine}):
            texts = sorted({(text, wanted) for _, other, text, wanted in mine if other == name})
            check = f"{CHECK}::{kind}::{name}"
            if check in allowed:
                results.append(_result(check, clone, SKIPPED, f"{texts[0][0]}: allowed, {allowed[check]}"))
                continue
            wanted = f"{texts[0][1]}; or {check} and a reason in {ALLOW}"
            results.append(_result(check, clone, FAILED, "\n".join(text for text, _ in texts), wanted))
    return results


def _result(check: str, clone: Clone, outcome: str, seen: str = "", wanted: str = "") -> CheckResult:
    return CheckResult(
        check=check, address=clone.address, outcome=outcome, seconds=0, seen=seen, wanted=wanted
    )


def _findings(seen: Mapping[str, Any], user: str, key: str) -> Iterator[tuple[str, str, str, str]]:
    """Kind, name, what was seen, what is wanted."""
    for account in seen["accounts"]:
        yield from _of_account(**account)
    for rule in seen["sudo"]:
        if rule["who"] not in {user, "root"} and not rule["packaged"]:
            text = f"{rule['file']}: {rule['who']} may use sudo without a password"
            yield "sudo-without-password", rule["who"], text, f"that for the default user ({user}) alone"
    for one in seen["keys"]:
        if one["key"] != key:
            text = f"{one['file']}: a key that is not the instance's lets in {one['account']}"
            yield "authorized-key", one["account"], text, "keys that a machine gets at its launch, alone"
    groups: dict[tuple[str, str, str], list[str]] = {}
    for trial in seen["sshd"]:
        for finding in _sshd(trial):
            groups.setdefault(finding, []).append(trial["user"])
    for (setting, text, wanted), users in groups.items():
        more = f" and {len(users) - NAMED} more" if len(users) > NAMED else ""
        yield "sshd", setting, f"{text} for {', '.join(users[:NAMED])}{more}", wanted


def _of_account(name: str, uid: str, password: str, **_others: str) -> Iterator[tuple[str, str, str, str]]:
    if password == "empty":  # a state, not a password
        yield "empty-password", name, f"account {name} has an empty password", "a locked password"
    elif password == "set":
        text = f"account {name} has a password, which is the same on every machine"
        yield "password", name, text, "a locked password (passwd --lock)"
    if not uid.strip("0") and name != "root":
        yield "uid-0", name, f"account {name} has user id 0, as root", "user id 0 for root alone"


def _sshd(trial: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Setting, what was seen, what is wanted, for one user from one place."""
    values = trial["settings"]
    where = " ".join(filter(None, (f"({' '.join(trial['daemon'])} -T)", trial["from"])))
    for setting, wanted in WANTED.items():
        if values.get(setting) != "yes" or (setting == "permitrootlogin" and trial["user"] != "root"):
            continue
        if setting in BY_PASSWORD and not _password_is_enough(values.get("authenticationmethods", "any")):
            continue
        yield setting, f"{setting} yes {where}", wanted
    command = values.get("authorizedkeyscommand", "none")
    known = command == "none" or (trial["packaged"] and command.split()[0].rpartition("/")[2] in KEY_COMMANDS)
    if not known:
        yield (
            "authorizedkeyscommand",
            f"authorizedkeyscommand {command} {where}",
            "none, or a distribution's own",
        )
    authority = values.get("trustedusercakeys", "none")
    if authority != "none":
        yield "trustedusercakeys", f"trustedusercakeys {authority} {where}", "none"


def _password_is_enough(methods: str) -> bool:
    """Whether one of sshd's AuthenticationMethods is made of passwords alone."""
    return methods == "any" or any(
        all(part.partition(":")[0] in {"password", "keyboard-interactive"} for part in one.split(","))
        for one in methods.split()
    )
