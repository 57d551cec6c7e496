"""What the default output of ansible-core 2.18 through Packer 1.16 looks like, and what is shown of it."""

import json

import pytest

from pipeline.baking.failedtask import failed_task

END = """
==> web-base.amazon-ebs.web-base:
==> web-base.amazon-ebs.web-base: PLAY RECAP *****************************
==> web-base.amazon-ebs.web-base: Terminating the source AWS instance...
Build 'web-base.amazon-ebs.web-base' errored after 13 seconds: Error executing Ansible: Non-zero exit status

==> Wait completed after 13 seconds 263 milliseconds
"""


def log(*lines: str, end: str = END) -> str:
    return "".join(f"==> web-base.amazon-ebs.web-base: {line}\n" for line in lines) + end


def fatal(**values: object) -> str:
    return f"fatal: [default]: FAILED! => {json.dumps(values)}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            log("TASK [web : Install nginx] *****", fatal(changed=False, msg="No package matching 'nginz'")),
            "TASK [web : Install nginx]\nNo package matching 'nginz'",
        ),
        (
            log(
                "TASK [Try] ***",
                fatal(msg="not this one"),
                "...ignoring",
                "TASK [Build] ***",
                fatal(msg="non-zero return code", rc=2, stderr="a\nmake: no rule", stdout="x"),
            ),
            "TASK [Build]\nnon-zero return code\na\nmake: no rule",
        ),
        (
            log(
                "RUNNING HANDLER [web : Reload] ***",
                'failed: [default] (item=a) => {"ansible_loop_var": "item", "item": "a", "msg": "no unit a"}',
            ),
            "TASK [web : Reload] (item=a)\nno unit a",
        ),
        (
            log("TASK [Gathering Facts] ***", 'fatal: [default]: UNREACHABLE! => {"msg": "timed out"}'),
            "TASK [Gathering Facts]\ntimed out",
        ),
        (log("TASK [Secret] ***", fatal(censored="hidden by no_log")), "TASK [Secret]\nhidden by no_log"),
        (log("TASK [Odd] ***", "fatal: [default]: FAILED! => not JSON"), "TASK [Odd]\nnot JSON"),
        # A rescued task, and another cause later.
        (log("TASK [Try] ***", fatal(msg="rescued"), end="verify-clean: /etc/machine-id is not empty"), None),
        (log("TASK [Well] ***", "ok: [default]"), None),
    ],
)
def test_the_task_that_failed(text: str, shown: str | None) -> None:
    assert failed_task(text) == shown
