"""moto as EC2, SSM, STS and Auto Scaling, in our own process, with the machines acting inside each call."""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from lab import account, ages, faults, moto_gaps, requests
from lab.autoscaling.engine import Engine
from lab.calls import Caller, CallLog
from lab.dataplane import DataPlane
from lab.errors import LabError
from lab.manners import Choice
from lab.manners.base import Call
from lab.manners.later import Later
from lab.manners.registry import Manners
from lab.permissions import Permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.layers import LayerStore
    from lab.manners.base import Answer
    from lab.settings import LabSettings

log = logging.getLogger("lab")

READ_ONLY = re.compile(r"^(Describe|Get|List|Head)")
MOTO_INTERNAL = "/moto-api"
LAB_API = "/lab-api/"
"""The lab's own calls: who called what, who may, faults on demand, the time of groups. No part of AWS; for tests."""

JSON = [("Content-Type", "application/json")]

DRY_RUN = "Request would have succeeded, but DryRun flag is set."
"""EC2's answer to a dry run that is allowed (API reference, error codes); for some reads moto lists all there is."""


class ControlPlane:
    """A WSGI application: moto, and the data plane brought to moto's state before an answer leaves.

    Args:
        settings: The lab.
        store: Image layers.
        save: Called after each change, to keep the state.
    """

    def __init__(self, settings: LabSettings, store: LayerStore, *, save: Callable[[], None]) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.RLock()
        self.later = Later()
        self._save = save
        self.calls = CallLog()
        self.faults = faults.Faults()
        self.permissions = Permissions(self._tags_of)
        self.machines = DataPlane(settings, store, control=lambda: self.lock, changed=self.save)
        moto_gaps.fill(self.machines.console, self.machines.consoles.is_forgotten)
        self.manners = Manners(self, settings.manners_file)
        self.groups = Engine(self, settings.state_dir)

    def finish(self) -> None:
        """Carry out what has been answered and not yet done; groups and refreshes wait for the next start."""
        self.groups.finish()
        self.later.finish()
        self.save()

    def save(self) -> None:
        """Keep moto's state, with no call in between."""
        with self.lock:
            self._save()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if environ.get("PATH_INFO", "").startswith(MOTO_INTERNAL):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"not a part of AWS\n"]
        if environ.get("PATH_INFO", "").startswith(LAB_API):
            return self._lab_api(environ, start_response)
        form = requests.read_form(environ)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        call = Call(
            caller=Caller.of(environ),
            action=(form.get("Action") or target.split(".")[-1:] or [""])[0],
            arguments=requests.read_arguments(environ, form, target),
            form=form,
            environ=environ,
            json_protocol=bool(target),
        )
        answered = self._answer(call)
        if answered is None:
            self.calls.add(call.caller, call.action, 0, dry=call.dry)
            faults.break_connection(environ)
            return []
        answer, body = answered
        self.calls.add(call.caller, call.action, int(answer[0].split()[0]), dry=call.dry)
        start_response(*answer)
        return body

    def _answer(self, call: Call) -> Answer | None:
        """The answer, or None if the caller never gets one."""
        refused = self.permissions.refusal(call.caller, call.action, call.arguments)
        if refused:
            return _denied(refused, call.caller.service, json_protocol=call.json_protocol)
        throttled = self.manners.refusal(call)
        if throttled is not None:
            return throttled
        fault = self.faults.strike(call.action, call.caller.key)
        if fault is not None:
            return self._struck(call, fault)
        if call.dry and READ_ONLY.match(call.action):
            return faults.error("DryRunOperation", DRY_RUN, status=412, json_protocol=False)
        return self.manners.answer(call)

    def _struck(self, call: Call, fault: faults.Fault) -> Answer | None:
        """What a fault makes of a call."""
        match fault.kind:
            case "dropped":
                return None
            case "lost":
                self.manners.answer(call)
                return None
            case "kept":
                answer = self.manners.answer(call)
                self.faults.keep(fault)
                return answer
            case "cut":
                return faults.cut(self.manners.answer(call))
            case "ignored":
                return ["200 OK", JSON], [json.dumps({"Version": 0, "Tier": "Standard"}).encode()]
            case _:
                return faults.refusal(fault, call.action, json_protocol=call.json_protocol)

    def allowed(self, caller: Caller, action: str) -> bool:
        """Whether somebody may call a read-only action of EC2."""
        return self.permissions.refusal(Caller(caller.key, "ec2"), action, {}) is None

    def ask(self, call: Call) -> Answer:
        """What moto answers; neither the machines nor the kept state follow."""
        if call.action == "RunInstances":
            requests.default_subnet(call.environ, call.form)
        answer: list[Any] = []
        with self.lock:
            # The body is taken while the lock is held: moto renders it from live objects.
            try:
                body = list(self._moto(call.environ, lambda *args: answer.extend(args)))
            except NotImplementedError as error:
                log.info("%s: %s", call.action, error)
                answer, body = ["500 Not implemented", []], []
        if answer[0].startswith("500"):
            # moto's own page for what it does not do is HTML, which no client of EC2 can read.
            return _internal_error(call.action, json_protocol=call.json_protocol)
        return answer, body

    def carry_out(self, call: Call) -> Answer:
        """Let moto answer, and the machines follow."""
        if READ_ONLY.match(call.action):
            return self.ask(call)
        answer, body = self.manners.around(call, self.ask)
        if call.action == "RebootInstances":
            self.machines.reboot(v[0] for k, v in call.form.items() if k.startswith("InstanceId."))
        try:
            self.machines.reconcile()
        except Exception:
            # EC2's own words for "it is us, not you", so that a client's parser can read them.
            log.exception("the machines could not follow %s", call.action)
            answer, body = _internal_error(call.action, json_protocol=call.json_protocol)
        self.save()
        self.groups.wake()
        log.info("%s -> %s", call.action or call.environ.get("PATH_INFO"), answer[0])
        return answer, body

    def as_itself(self, call: Call) -> Answer:
        """Carry a call out that AWS itself makes: no permissions, no limits, but faults."""
        fault = self.faults.strike(call.action, call.caller.key)
        answer = self.carry_out(call) if fault is None else self._struck(call, fault)
        return answer or _internal_error(call.action, json_protocol=call.json_protocol)

    def grow_older(self, seconds: float) -> None:
        """Let what AWS has written down be so much older; no read shows any more what was before."""
        with self.lock:
            ages.add(seconds)
            self.machines.consoles.grow_older(seconds)
            self.manners.forget()

    def _tags_of(self, resource_id: str) -> dict[str, str]:
        with self.lock:
            return account.tags_of(resource_id)

    def _lab_api(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one of the lab's own calls: `_shown`, `_put` or `_delete`."""
        name = environ["PATH_INFO"].removeprefix(LAB_API)
        status = "200 OK"
        try:
            match environ["REQUEST_METHOD"]:
                case "PUT":
                    found = self._put(name, requests.read_json(environ))
                case "DELETE":
                    found = self._delete(name)
                case _:
                    found = self._shown(name)
        except LabError as error:
            status, found = "400 Bad Request", str(error)
        except _NoSuchCallError:
            status, found = "404 Not Found", {}
        start_response(status, JSON)
        return [json.dumps(found).encode()]

    def _delete(self, name: str) -> Any:
        """DELETE calls."""
        if name != "calls":
            raise _NoSuchCallError
        self.calls.clear()
        return {}

    def _shown(self, name: str) -> Any:
        """GET calls, the faults' actions struck so far, manners, lag, time."""
        match name:
            case "calls":
                return self.calls.rows()
            case "faults":
                return self.faults.struck
            case "manners":
                return asdict(self.manners.choice)
            case "lag":
                return self.manners.lag()
            case "time":
                return self.groups.time()
            case _:
                raise _NoSuchCallError

    def _put(self, name: str, body: Any) -> Any:
        """PUT permissions, faults, manners, crowd, redhat, time (of groups and their refreshes)."""
        match name:
            case "permissions":
                self.permissions.set(body)
            case "faults":
                self.faults.set([faults.Fault.of(rule) for rule in body])
            case "manners":
                self.manners.set(Choice.of(body))
            case "crowd":
                with self.lock:
                    account.crowd(**body)
            case "time":
                self.manners.settle()
                return self.groups.set_time(**body)
            case "redhat":
                image_id = account.offer_redhat(self.machines, **body)
                self.save()
                return image_id
            case _:
                raise _NoSuchCallError
        return {}


class _NoSuchCallError(Exception):
    """The lab has no such call of its own."""


def _denied(message: str, service: str, *, json_protocol: bool) -> tuple[list[Any], list[bytes]]:
    """As EC2, the JSON services and the other query services say it."""
    if json_protocol:
        return faults.error("AccessDeniedException", message, status=400, json_protocol=True)
    if service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
        return faults.error("UnauthorizedOperation", message, status=403, json_protocol=False)
    return faults.error("AccessDenied", message, status=403, json_protocol=False)


def _internal_error(action: str, *, json_protocol: bool) -> tuple[list[Any], list[bytes]]:
    text = f"the lab could not carry out {action}; its log says why"
    if json_protocol:
        error = {"__type": "InternalError", "message": text}
        return ["500 Internal Server Error", JSON], [json.dumps(error).encode()]
    body = (
        "<?xml version='1.0'?><Response><Errors><Error><Code>InternalError</Code>"
        f"<Message>{text}</Message></Error></Errors><RequestID>lab</RequestID></Response>"
    ).encode()
    return ["500 Internal Server Error", [("Content-Type", "text/xml")]], [body]
