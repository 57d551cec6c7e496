"""Equal anywhere means failed, naming what and which."""

import os
import subprocess
from pathlib import Path

from pipeline.results import FAILED, PASSED, SKIPPED, CheckResult
from pipeline.validation import identity

BUILDER = {"machine-id": "b1", "hostname": "b2", "cloud-init instance id": "b3", "ssh host key ed25519": "b4"}


def machine(number: int) -> dict[str, str]:
    return {name: f"{number}-{name}" for name in BUILDER}


def failures(
    clones: dict[str, dict[str, str]], builder: dict[str, str] = BUILDER
) -> list[tuple[str, str, str]]:
    results = identity.compare(clones, builder)
    assert {result.outcome for result in results} <= {PASSED, FAILED, SKIPPED}
    return [(result.check, result.address, result.seen) for result in results if result.outcome == FAILED]


def test_all_are_themselves() -> None:
    assert failures({"a": machine(1), "b": machine(2)}) == []


def test_two_clones_share_a_value() -> None:
    shared = {"machine-id": "x"}
    found = failures({"a": machine(1) | shared, "b": machine(2) | shared, "c": machine(3)})
    assert found == [
        ("identity::machine-id", "a", "machine-id: the same as that of b"),
        ("identity::machine-id", "b", "machine-id: the same as that of a"),
    ]


def test_one_clone_is_its_builder() -> None:
    found = failures({"a": machine(1) | {"hostname": BUILDER["hostname"]}})
    assert found == [("identity::hostname", "a", "hostname: the same as the builder's")]


def test_a_name_that_came_with_the_builders_former_address() -> None:
    builder = BUILDER | {"address": "a1"}
    named = machine(1) | {"hostname": BUILDER["hostname"]}
    assert failures({"a": named | {"address": "a1"}, "b": machine(2) | {"address": "a2"}}, builder) == []
    found = failures({"a": named | {"address": "a3"}}, builder)
    assert found == [("identity::hostname", "a", "hostname: the same as the builder's")]


def test_a_registration_of_the_machines_own_is_no_secret_of_the_image() -> None:
    key = CheckResult(
        check="secrets::private-key", address="a", outcome=FAILED, seconds=0,
        seen="/etc/pki/consumer/key.pem:1: private-key",
    )  # fmt: skip

    def kept(first: str, second: str) -> bool:
        clones = {"a": machine(1) | {"rhsm consumer": first}, "b": machine(2) | {"rhsm consumer": second}}
        return key in identity.without_registration([*identity.compare(clones, BUILDER), key])

    assert not kept("c1", "c2")
    assert kept("c1", "c1"), "baked in: every machine has it"
    alone = identity.compare({"a": machine(1), "b": machine(2)}, BUILDER)
    assert key in identity.without_registration([*alone, key]), "a key without a registration"


def test_what_must_be_there() -> None:
    short = machine(1)
    del short["ssh host key ed25519"]
    found = failures({"a": short})
    assert found == [("identity::ssh-host-key-ed25519", "a", "ssh host key ed25519: missing")]


def test_an_image_that_does_not_tell_its_builder() -> None:
    assert failures({"a": machine(1)}, {})[0][0] == "identity::builder"


def test_the_script_prints_hashes_and_names(tmp_path: Path) -> None:
    for name, text in {
        "etc/machine-id": "0123\n",
        "etc/hostname": "one\n",
        "etc/ssh/ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA root@one\n",
        "var/lib/cloud/data/instance-id": "i-1\n",
        "var/lib/systemd/random-seed": "seed",
        "etc/pki/consumer/cert.pem": "cert",
        "etc/insights-client/machine-id": "4567",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["sh", identity.SCRIPT], env={"PATH": os.environ["PATH"], "ROOT": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = identity.parse(done.stdout)
    assert set(found) == {*identity.REQUIRED, "systemd random seed", "rhsm consumer", "insights machine-id"}
    assert all(len(value) == 64 for value in found.values())


def test_one_machine_proves_nothing_between_machines() -> None:
    def skipped(clones: dict[str, dict[str, str]]) -> list[str]:
        return [one.check for one in identity.compare(clones, BUILDER) if one.outcome == SKIPPED]

    assert skipped({"a": machine(1)}) == ["identity::between-machines"]
    assert skipped({"a": machine(1), "b": machine(2)}) == []


def test_a_key_of_the_builders_under_another_name() -> None:
    key = {"offered ssh-ed25519 host key": BUILDER["ssh host key ed25519"]}
    found = failures({"a": machine(1) | key})
    assert found == [
        (
            "identity::offered-ssh-ed25519-host-key",
            "a",
            "offered ssh-ed25519 host key: the same as the builder's",
        )
    ]
