"""Health checks of targets, which the lab really makes: HTTP to a machine's own address."""

from __future__ import annotations

import http.client
import ssl
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.autoscaling.targets import Check, backend, checks, is_used
from lab.dataplane import ec2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from moto.elbv2.models import FakeTargetGroup

AGENT = "ELB-HealthChecker/2.0"
"""What a load balancer calls itself in its checks (Application Load Balancers user guide, health checks)."""

THREADS = 16


class Result(NamedTuple):
    """Of one check: why it failed; both None if it passed."""

    reason: str | None = None
    description: str | None = None


class Question(NamedTuple):
    """One check that is to be made."""

    group: str
    target: str
    address: str
    port: int
    protocol: str
    path: str
    matcher: str
    timeout: float


class Prober:
    """Makes the checks that are due.

    Args:
        control: The lock that keeps API calls out.
        now: The lab's time.
        heard: Called after each result.
    """

    def __init__(
        self,
        control: Callable[[], AbstractContextManager[object]],
        now: Callable[[], float],
        heard: Callable[[], None],
    ) -> None:
        self._control = control
        self._now = now
        self._heard = heard
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="probe")
        self._asked: dict[tuple[str, str], Future[None]] = {}

    def run(self, *, to_the_end: bool) -> None:
        """Begin the checks that are due; with `to_the_end` return when they have been made."""
        with self._control():
            due = list(self._due())
        for question in due:
            key = (question.group, question.target)
            self._asked[key] = self._pool.submit(self._ask, question)
        if to_the_end:
            wait(list(self._asked.values()))
        self._asked = {key: one for key, one in self._asked.items() if not one.done()}

    def finish(self) -> None:
        """Make no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _due(self) -> Iterator[Question]:
        for target_group in backend().target_groups.values():
            if target_group.target_type not in {"instance", "ip"} or not is_used(target_group):
                continue
            target_group.deregister_terminated_instances(
                [one for one in target_group.targets if _is_over(one)]
            )
            known = checks(target_group)
            for gone in [one for one in known if one not in target_group.targets]:
                del known[gone]
            for target_id, target in target_group.targets.items():
                check = known.setdefault(target_id, Check())
                address = _address(target_id)
                if check.due > self._now() or address is None or (target_group.arn, target_id) in self._asked:
                    continue
                check.due = self._now() + float(target_group.health_check_interval_seconds)
                yield _question(target_group, target_id, address, target)

    def _ask(self, question: Question) -> None:
        result = probe(question)
        with self._control():
            target_group = backend().target_groups.get(question.group)
            if target_group is None or question.target not in target_group.targets:
                return
            _note(checks(target_group).setdefault(question.target, Check()), target_group, result)
        self._heard()


def _is_over(target_id: str) -> bool:
    """Whether a target is an instance that has ended by itself; moto sees only calls that end one."""
    instance = ec2().get_instance_by_id(target_id) if target_id.startswith("i-") else None
    return instance is not None and instance.state in {"shutting-down", "terminated"}


def _address(target_id: str) -> str | None:
    """Where a target is; None if it does not run."""
    if not target_id.startswith("i-"):
        return target_id
    instance = ec2().get_instance_by_id(target_id)
    return instance.private_ip if instance and instance.state == "running" else None


def _question(
    target_group: FakeTargetGroup, target_id: str, address: str, target: dict[str, Any]
) -> Question:
    own = target_group.health_check_port in {None, "traffic-port"}
    return Question(
        group=target_group.arn,
        target=target_id,
        address=address,
        port=int(target["Port"] if own else str(target_group.health_check_port)),
        protocol=target_group.health_check_protocol or "HTTP",
        path=target_group.health_check_path or "/",
        matcher=str(getattr(target_group, "matcher", {}).get("HttpCode", "200")),
        timeout=float(target_group.health_check_timeout_seconds),
    )


def _note(check: Check, target_group: FakeTargetGroup, result: Result) -> None:
    """Count a check.

    "After your target is registered, it must pass one health check to be considered healthy"; later the thresholds
    count (Application Load Balancers user guide, "Health checks for Application Load Balancer target groups").
    """
    passed = result.reason is None
    check.passed, check.failed = (check.passed + 1, 0) if passed else (0, check.failed + 1)
    enough = 1 if check.state == "initial" else int(target_group.healthy_threshold_count)
    if passed and check.passed >= enough:
        check.state, check.reason, check.description = "healthy", None, None
    elif check.failed >= int(target_group.unhealthy_threshold_count):
        check.state, check.reason, check.description = "unhealthy", result.reason, result.description
    elif check.state == "initial":
        check.reason = "Elb.InitialHealthChecking"
        check.description = "Initial health checks in progress"


def probe(question: Question) -> Result:
    """Ask a target once, as a load balancer does."""
    connection = _connection(question)
    try:
        connection.connect()
        if question.protocol not in {"HTTP", "HTTPS"}:
            return Result()
        connection.request("GET", question.path, headers={"User-Agent": AGENT, "Connection": "close"})
        code = connection.getresponse().status
    except TimeoutError:
        return Result("Target.Timeout", "Request timed out")
    except (OSError, http.client.HTTPException):
        return Result("Target.FailedHealthChecks", "Health checks failed")
    finally:
        connection.close()
    if _matches(code, question.matcher):
        return Result()
    return Result("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]")


def _connection(question: Question) -> http.client.HTTPConnection:
    """To a target; a load balancer does not look at its certificate (user guide, target groups, protocols)."""
    if question.protocol != "HTTPS":
        return http.client.HTTPConnection(question.address, question.port, timeout=question.timeout)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(
        question.address, question.port, timeout=question.timeout, context=context
    )


def _matches(code: int, matcher: str) -> bool:
    """Whether ``200``, ``200,202`` or ``200-299`` has the code (API reference, Matcher)."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= code <= int(last or first):
            return True
    return False
