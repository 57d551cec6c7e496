"""What is shown of the consoles of machines that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pipeline.errors import PipelineError
from pipeline.rollout.consoles import LINES, MACHINES, Consoles

if TYPE_CHECKING:
    from pipeline.aws.machines import Machines

TOKEN = "AKIA" + "QZ3KLMNP7RSTUVWX"
BOOTED = f"""\
[\x1b[0;32m  OK  \x1b[0m] Started web

web: no such option, with {TOKEN}
<14>cloud-init: ####
<14>cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----
256 SHA256:aaaa
<14>cloud-init: -----END SSH HOST KEY FINGERPRINTS-----
<14>cloud-init: ####
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 AAAA
-----END SSH HOST KEY KEYS-----
"""


class Ec2:
    """Answers in turn; the last answer again and again."""

    def __init__(self, *answers: str | PipelineError) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def console(self, instance_id: str) -> str:
        self.asked.append(instance_id)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, PipelineError):
            raise answer
        return answer


def consoles(ec2: Ec2) -> Consoles:
    return Consoles(cast("Machines", ec2))


def test_the_end_without_colours_host_keys_and_secrets() -> None:
    found = consoles(Ec2(BOOTED))
    found.read("i-1")
    assert found.tail("i-1") == ["[  OK  ] Started web", "web: no such option, with [aws-access-token]"]


def test_only_the_last_lines() -> None:
    found = consoles(Ec2("\n".join(map(str, range(100)))))
    found.read("i-1")
    assert found.tail("i-1") == [str(number) for number in range(100 - LINES, 100)]


def test_ec2_is_behind_and_forgets() -> None:
    late = consoles(Ec2("", "up"))
    late.read("i-1")
    assert late.tail("i-1") == ["up"]
    gone = consoles(Ec2("up", ""))
    gone.read("i-1")
    assert gone.tail("i-1") == ["up"]


def test_an_error_is_shown_and_ends_nothing() -> None:
    found = consoles(Ec2(PipelineError("AWS refused")))
    found.read("i-1")
    assert found.tail("i-1") == ["(no console: AWS refused)"]
    silent = consoles(Ec2(""))
    silent.read("i-1")
    assert silent.tail("i-1") == ["(no console: nothing yet; EC2 may be minutes behind)"]


def test_a_large_group_costs_a_few_calls() -> None:
    ec2 = Ec2("up")
    found = consoles(ec2)
    for number in range(100):
        found.read(f"i-{number}")
    assert len(ec2.asked) == MACHINES
    assert found.tail("i-99") == []
