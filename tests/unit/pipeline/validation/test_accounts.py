"""Who can log in, or become root: a machine is a folder for the files, and facts for what sshd answers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.machines import onmachine
from pipeline.machines.clones import Clone
from pipeline.probes import accounts as program
from pipeline.probes import sshd
from pipeline.results import FAILED, PASSED, SKIPPED
from pipeline.validation import accounts

CLONE = Clone("i-1", "192.0.2.1")
MINE = "ssh-ed25519 " + "A" * 60
HASH = "$y$j9T$" + "x" * 40
PASSWD = (
    "root:x:0:0::/root:/bin/bash\nadmin:x:1000:1000::/home/admin:/bin/bash\nsync:x:4:65534::/bin:/bin/sync\n"
)
SHADOW = "root:*:1::::::\nadmin:!:1::::::\nsync:*:1::::::\n"
SUDOERS = (
    "Defaults env_reset\nroot ALL=(ALL) ALL\n%sudo ALL=(ALL) ALL # NOPASSWD: no\n@includedir /etc/sudoers.d\n"
)
CLOUD = "# made at boot\nadmin ALL=(ALL) NOPASSWD:ALL\n"
GOOD = {
    "permitrootlogin": "no",
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
    "authorizedkeysfile": ".ssh/authorized_keys",
    "authorizedkeyscommand": "none",
    "trustedusercakeys": "none",
}


def probe(root: Path, **files: str) -> Any:
    """What the probe prints of a machine that is well but for these files."""
    texts = {"passwd": PASSWD, "shadow": SHADOW, "sudoers": SUDOERS, "sudoers.d/90-cloud-init-users": CLOUD}
    for name, text in {**texts, **files}.items():
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=onmachine.program("accounts"), capture_output=True, check=True,
        env={"PATH": os.environ["PATH"], "ROOT": str(root)},
    )  # fmt: skip
    assert HASH.encode() not in done.stdout, "no hash leaves the machine"
    return json.loads(done.stdout)


def failures(seen: Any, allowed: dict[str, str] | None = None) -> dict[str, str]:
    results = accounts.judge(seen, CLONE, user="admin", key=MINE, allowed=allowed or {})
    assert {result.address for result in results} == {CLONE.address}
    return {result.check: result.seen for result in results if result.outcome == FAILED}


def trial(user: str = "root", source: str = "", *, packaged: bool = True, **settings: str) -> Any:
    return {
        "daemon": ["/usr/sbin/sshd"], "user": user, "from": source, "packaged": packaged,
        "settings": {**GOOD, **settings},
    }  # fmt: skip


def with_sshd(*trials: Any, keys: Any = ()) -> Any:
    return {"accounts": [], "sudo": [], "keys": list(keys), "sshd": list(trials)}


def test_a_machine_that_is_well(tmp_path: Path) -> None:
    seen = probe(tmp_path)
    assert failures(seen) == {}
    results = accounts.judge(seen, CLONE, user="admin", key=MINE, allowed={})
    assert [result.outcome for result in results] == [PASSED] * len(results)
    assert len(results) >= 6


@pytest.mark.parametrize(
    ("files", "check", "text"),
    [
        ({"shadow": SHADOW + "guest::1::::::\n", "passwd": PASSWD + "guest:x:1001:1:::/bin/sh\n"},
         "accounts::empty-password::guest", "account guest has an empty password"),
        ({"passwd": PASSWD + "guest::1001:1:::/bin/sh\n"}, "accounts::empty-password::guest", "empty"),
        ({"shadow": SHADOW.replace("root:*", f"root:{HASH}")}, "accounts::password::root", "has a password"),
        ({"shadow": SHADOW.replace("admin:!", f"admin:{HASH}")}, "accounts::password::admin", "has a password"),
        ({"passwd": PASSWD + f"old:{HASH}:1001:1:::/bin/sh\n"}, "accounts::password::old", "has a password"),
        ({"passwd": PASSWD + "toor:x:0:0:::/bin/sh\n"}, "accounts::uid-0::toor", "user id 0"),
        ({"passwd": PASSWD + "toor:x:00:0:::/bin/sh\n"}, "accounts::uid-0::toor", "user id 0"),
        ({"sudoers.d/90-packer": "packer ALL=(ALL) NOPASSWD:ALL\n"}, "accounts::sudo-without-password::packer",
         "/etc/sudoers.d/90-packer: packer may use sudo"),
        ({"sudoers.d/x": "User_Alias OPS = ann, %ops\nOPS ALL = \\\n  NOPASSWD : ALL\n"},
         "accounts::sudo-without-password::%ops", "/etc/sudoers.d/x"),
        ({"sudoers.d/x": "a, ann ALL=(ALL) ALL, NOPASSWD: /bin/sh\n"}, "accounts::sudo-without-password::ann", "ann"),
        ({"sudoers": SUDOERS + "#include /etc/more\n", "more": '"%domain users" ALL=NOPASSWD:ALL\n'},
         "accounts::sudo-without-password::%domain users", "/etc/more"),
        ({"sudoers": SUDOERS + "Defaults:ann !authenticate\n"}, "accounts::sudo-without-password::Defaults:ann",
         "/etc/sudoers"),
    ],
)  # fmt: skip
def test_what_files_let_in(tmp_path: Path, files: dict[str, str], check: str, text: str) -> None:
    found = failures(probe(tmp_path, **files))
    assert check in found
    assert text in found[check]


def test_files_that_sudo_does_not_read(tmp_path: Path) -> None:
    rule = "packer ALL=(ALL) NOPASSWD:ALL\n"
    assert (
        failures(probe(tmp_path, **{"sudoers.d/x.bak": rule, "sudoers.d/x~": rule, "elsewhere": rule})) == {}
    )


def test_a_rule_of_a_package_as_it_brought_it() -> None:
    seen = with_sshd() | {"sudo": [{"who": "nagios", "file": "/etc/sudoers.d/nagios", "packaged": True}]}
    assert failures(seen) == {}


@pytest.mark.parametrize(
    ("one", "setting", "text"),
    [
        (trial(permitrootlogin="yes"), "permitrootlogin", "for root"),
        (trial("admin", passwordauthentication="yes"), "passwordauthentication", "for admin"),
        (trial("admin", kbdinteractiveauthentication="yes"), "kbdinteractiveauthentication", "for admin"),
        (trial("admin", "from 10.0.0.1", permitemptypasswords="yes"), "permitemptypasswords", "from 10.0.0.1"),
        (trial(authorizedkeyscommand="/bin/cat /opt/keys"), "authorizedkeyscommand", "/bin/cat /opt/keys"),
        (trial(authorizedkeyscommand="/opt/sss_ssh_authorizedkeys %u", packaged=False), "authorizedkeyscommand", ""),
        (trial(trustedusercakeys="/etc/ssh/ca.pub"), "trustedusercakeys", "/etc/ssh/ca.pub"),
        (trial(passwordauthentication="yes", authenticationmethods="publickey,password password"),
         "passwordauthentication", "for root"),
    ],
)  # fmt: skip
def test_what_sshd_lets_in(one: Any, setting: str, text: str) -> None:
    found = failures(with_sshd(one))
    assert list(found) == [f"accounts::sshd::{setting}"]
    assert text in found[f"accounts::sshd::{setting}"]


def test_what_sshd_may_do() -> None:
    assert failures(with_sshd(
        trial("admin", permitrootlogin="yes"),
        trial(permitrootlogin="without-password"),
        trial(passwordauthentication="yes", authenticationmethods="publickey,password"),
        trial(authorizedkeyscommand="/usr/share/ec2-instance-connect/eic_run_authorized_keys %u %f"),
    )) == {}  # fmt: skip


def test_keys_wherever_sshd_looks(tmp_path: Path) -> None:
    (tmp_path / "etc/keys").mkdir(parents=True)
    (tmp_path / "etc/keys/root").write_text(
        f'# a comment\ncommand="echo no" {MINE} mine\nssh-ed25519 {"B" * 60} builder\n'
    )
    account = {"name": "root", "uid": "0", "home": "/root"}
    found = list(program.keys(str(tmp_path), account, ".ssh/authorized_keys /etc/keys/%u none"))
    assert [one["key"][0] for one in found] == ["A", "B"]
    assert failures(with_sshd(keys=found)) == {
        "accounts::authorized-key::root": "/etc/keys/root: a key that is not the instance's lets in root"
    }


def test_a_finding_that_the_stack_allows() -> None:
    seen = with_sshd() | {"sudo": [{"who": "deploy", "file": "/etc/sudoers.d/deploy", "packaged": False}]}
    name = "accounts::sudo-without-password::deploy"
    assert list(failures(seen)) == [name]
    results = accounts.judge(seen, CLONE, user="admin", key=MINE, allowed={name: "deploys at night"})
    [skipped] = [result for result in results if result.outcome != PASSED]
    assert (skipped.check, skipped.outcome) == (name, SKIPPED)
    assert "deploys at night" in skipped.seen


def test_options_of_a_daemon_that_runs() -> None:
    title = (
        "sshd: /usr/sbin/sshd -D -f /opt/sshd_config -oPort=2222 -o AuthorizedKeysCommand /usr/bin/x %u %f "
        "-o AuthorizedKeysCommandUser eic [listener] 0 of 10-100 startups"
    )
    assert sshd.options(title) == [
        "-f", "/opt/sshd_config", "-o", "Port=2222", "-o", "AuthorizedKeysCommand /usr/bin/x %u %f",
        "-o", "AuthorizedKeysCommandUser eic",
    ]  # fmt: skip


def test_places_of_match_blocks() -> None:
    text = [
        "Match User ann", "Match Address !10.1.0.0/16,10.0.0.0/8 User *", "match host *.corp LocalPort 2222",
        "Match all # address 1.2.3.4",
    ]  # fmt: skip
    places = sshd.places(text)
    assert places[0] == sshd.ELSEWHERE
    assert [(place["addr"], place["host"], place["lport"]) for place in places[1:]] == [
        ("10.0.0.1", "10.0.0.1", "22"), ("203.0.113.9", "1.corp", "2222"),
    ]  # fmt: skip
