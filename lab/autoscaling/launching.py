"""Launches and terminations of a group: calls to the lab's own EC2, as Auto Scaling makes them on AWS."""

from __future__ import annotations

import logging
import re
import uuid
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlencode

from moto.autoscaling.models import autoscaling_backends
from werkzeug.test import EnvironBuilder

from lab import environment
from lab import settings as lab_settings
from lab.autoscaling import targets
from lab.autoscaling.activities import FAILED, Activity
from lab.autoscaling.members import TERMINATING, Member, book, own_spec
from lab.autoscaling.refreshes import Spec
from lab.calls import Caller
from lab.dataplane import ec2
from lab.manners.base import Call

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from moto.autoscaling.models import FakeAutoScalingGroup
    from moto.ec2.models.instances import Instance

    from lab.autoscaling.groups import Orders
    from lab.manners.base import Answer

log = logging.getLogger("lab")

GROUP_TAG = "aws:autoscaling:groupName"
SIGNED = f"{environment.AUTO_SCALING}/20260101/{lab_settings.REGION}/ec2/aws4_request, SignedHeaders=host"
RETRY_SECONDS = 30.0
"""How long no launch is tried after one that failed; AWS publishes no figure."""

_MESSAGE = re.compile(rb"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", re.DOTALL)
_ID = re.compile(rb"<instanceId>(i-\w+)</instanceId>")


class Plane(Protocol):
    """The control plane, as a group uses it."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Keeps API calls out."""

    def as_itself(self, call: Call) -> Answer:
        """Carry a call out that AWS itself makes: no permissions, no limits, but faults."""


def find(name: str) -> FakeAutoScalingGroup | None:
    """The group of that name; None if it is gone."""
    return autoscaling_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION].autoscaling_groups.get(name)


def call(action: str, fields: dict[str, str]) -> Call:
    """A request to EC2 as Auto Scaling signs it."""
    form: dict[str, str] = {"Action": action, "Version": "2016-11-15", **fields}
    environ = EnvironBuilder(
        method="POST",
        base_url=f"http://ec2.{lab_settings.REGION}.amazonaws.com/",
        data=urlencode(form).encode(),
        content_type="application/x-www-form-urlencoded; charset=utf-8",
        headers=[("Authorization", f"AWS4-HMAC-SHA256 Credential={SIGNED}, Signature=lab")],
    ).get_environ()
    return Call(
        caller=Caller(environment.AUTO_SCALING, "ec2"),
        action=action,
        arguments=form,
        form=parse_qs(urlencode(form), keep_blank_values=True),
        environ=environ,
        json_protocol=False,
    )


def launch(plane: Plane, name: str, orders: Orders, now: float) -> None:
    """Launch what the orders say, one machine a call, and write it down."""
    for _ in range(orders.launch):
        with plane.lock:
            group = find(name)
            if group is None:
                return
            fields = _fields(group, orders.spec)
        status, body = _asked(plane, "RunInstances", fields)
        made = _ID.search(body)
        with plane.lock:
            group = find(name)
            if group is not None and made is None:
                log.warning("group %s: a launch failed: %s", name, status)
                _note_failure(group, body, now)
                return
            if group is not None and made is not None:
                instance = ec2().get_instance(made[1].decode())
                member = Member(instance, group, orders.spec, cause=orders.cause, now=now)
                group.instance_states.append(member)
                book(group).note(Activity(name, f"Launching a new EC2 instance: {instance.id}", now))
                continue
        if made is not None:
            # Its group was deleted meanwhile.
            _asked(plane, "TerminateInstances", {"InstanceId.1": made[1].decode()})
        return


def end(plane: Plane, name: str, orders: Orders, now: float) -> None:
    """Terminate what the orders say, out of the target groups first."""
    if not orders.end:
        return
    with plane.lock:
        group = find(name)
        if group is None:
            return
        for member, why in orders.end:
            targets.deregister(group, member)
            member.lifecycle_state = TERMINATING
            text = f"Terminating EC2 instance: {member.instance_id}"
            book(group).note(Activity(name, text, now, why))
        ids = [one.instance_id for one, _ in orders.end if one.instance.state != "terminated"]
    if ids:
        _asked(plane, "TerminateInstances", {f"InstanceId.{n}": one for n, one in enumerate(ids, 1)})


def adopt(group: FakeAutoScalingGroup, now: float) -> None:
    """Make members of the instances that are the group's and that nothing stands for.

    Those that were attached by hand, or launched by a lab that was killed before it had written them down.
    """
    known = {one.instance_id for one in group.instance_states}
    states = {one.instance_id: one.instance for one in group.instance_states if not isinstance(one, Member)}
    for instance in ec2().all_instances():
        tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
        if tags.get(GROUP_TAG) != group.name or instance.id in known:
            continue
        if instance.state in {"pending", "running"}:
            states[instance.id] = instance
    group.instance_states = [one for one in group.instance_states if isinstance(one, Member)]
    for instance in states.values():
        spec = _launched_from(instance)
        group.instance_states.append(Member(instance, group, spec, cause=_cause(group, spec), now=now))


def _launched_from(instance: Instance) -> Spec | None:
    """The version that EC2 has noted on an instance; None if it was launched without one, or the template is gone."""
    tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
    template = ec2().launch_templates.get(tags.get("aws:ec2launchtemplate:id", ""))
    if template is None:
        return None
    return Spec(template.id, template.name, int(tags["aws:ec2launchtemplate:version"]))


def _cause(group: FakeAutoScalingGroup, spec: Spec | None) -> str:
    """The refresh on its way, if that launches such machines."""
    refresh = book(group).active
    if refresh is None or spec is None:
        return ""
    return refresh.cause if spec == (refresh.desired if refresh.forward else own_spec(group)) else ""


def _asked(plane: Plane, action: str, fields: dict[str, str]) -> tuple[str, bytes]:
    answer, body = plane.as_itself(call(action, fields))
    return answer[0], b"".join(body)


def _fields(group: FakeAutoScalingGroup, spec: Spec | None) -> dict[str, str]:
    fields = {"MinCount": "1", "MaxCount": "1", "ClientToken": str(uuid.uuid4())}
    if spec is not None:
        fields |= {
            "LaunchTemplate.LaunchTemplateId": spec.template_id,
            "LaunchTemplate.Version": str(spec.version),
        }
    else:
        fields |= _of_configuration(group.launch_config)
    if group.vpc_zone_identifier:
        fields["SubnetId"] = group.vpc_zone_identifier.split(",")[0].strip()
    tags = {**group.get_propagated_tags(), GROUP_TAG: group.name}
    fields["TagSpecification.1.ResourceType"] = "instance"
    for number, (key, value) in enumerate(tags.items(), 1):
        fields |= {
            f"TagSpecification.1.Tag.{number}.Key": key,
            f"TagSpecification.1.Tag.{number}.Value": value,
        }
    return fields


def _of_configuration(found: Any) -> dict[str, str]:
    fields = {"ImageId": found.image_id, "InstanceType": found.instance_type}
    if found.key_name:
        fields["KeyName"] = found.key_name
    if found.user_data:
        data = found.user_data
        fields["UserData"] = data if isinstance(data, str) else data.as_bytes().decode()
    return fields


def _note_failure(group: FakeAutoScalingGroup, body: bytes, now: float) -> None:
    """A launch that EC2 refused; user guide, "Troubleshoot ...: EC2 instance launch failures"."""
    found = _MESSAGE.search(body)
    words = found[2].decode() if found else "EC2 did not answer."
    book(group).retry_at = now + RETRY_SECONDS
    activity = Activity(group.name, "Launching a new EC2 instance.", now, status=FAILED, ended=now)
    activity.message = f"{words} Launching EC2 instance failed."
    book(group).note(activity)
