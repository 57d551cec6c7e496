"""The step `roll-out`: the machines of a group move to the promoted image, and return if they do not become healthy.

AWS replaces the machines (an instance refresh) and goes on if this step ends early. The step finds out what is under
way, joins it, and comes to one of two ends: all machines run the image, or machines and channel are as before.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline import aws, log, plans, record
from pipeline.aws.account import Account
from pipeline.aws.patience import LONG
from pipeline.model import deployed_tag
from pipeline.promote.promotion import Promotion
from pipeline.rollout import going_back, words
from pipeline.rollout.decide import Next, decide
from pipeline.rollout.watch import POLL_SECONDS, Watch
from pipeline.scaling import RETURNED, SUCCESSFUL, Version, content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.errors import PipelineError
    from pipeline.rollout.decide import Decision
    from pipeline.scaling import Group, Refresh

SEEN_WITHIN_SECONDS = 30
"""How long a read may lag behind the start of a refresh."""

CREATION = "creation"
"""In place of a refresh's ID, of machines that came with their group."""


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """Roll out.

    Args:
        given: The plan (`plans.RollOut`).

    Returns:
        ``imageId``, ``version``, ``deployed`` (when, and by which refresh).

    Raises:
        PipelineError: The machines did not become healthy, and what has returned; somebody else's refresh is under
            way; the plan is incomplete; or the update has finished the return from an image that was rejected.
    """
    plan = plans.RollOut.from_json(given)
    account = Account(region=plan.region, patience=LONG)
    with aws.asking(f"carry out the step {plan.step}", region=plan.region):
        found = RollOut(account, plan).go()
        if plan.rejected is not None:
            going_back.finish(Promotion.of(plan), plan)
    if plan.rejected is not None:
        raise words.finished(plan)
    return found


class RollOut:
    """One roll-out.

    Args:
        account: The account.
        plan: Its plan.
    """

    def __init__(self, account: Account, plan: plans.RollOut) -> None:
        self._account = account
        self._plan = plan
        self._wanted = Version(template=plan.template, number=str(plan.version))
        self._watch = Watch(account, plan.group, self._wanted, self._log)

    def _log(self, text: str) -> None:
        log.log(self._plan.step, text)

    def go(self) -> dict[str, Any]:
        """Come to one of the two ends.

        Raises:
            PipelineError: See `run`.
        """
        while True:
            group = self._watch.look()
            decision = self._decide(group)
            refresh = decision.refresh
            match decision.next:
                case Next.FOREIGN:
                    assert refresh is not None
                    raise words.foreign(self._plan.group, self._plan.stack, refresh)
                case Next.SETTLE:
                    return self._settle(refresh)
                case Next.START:
                    if self._is_same(group):
                        self._log(f"the machines run {self._plan.image_id} already")
                        return self._done(None)
                    self._start(group)
                case Next.FAILED if group.version and self._image(group.version) == self._plan.image_id:
                    # Not the image was new but the rest of the template, and no promotion distinguishes two attempts.
                    self._start(group)
                case Next.UNDO | Next.WAIT:
                    assert refresh is not None
                    self._let_end(refresh, undo=decision.next is Next.UNDO)
                case Next.JOIN | Next.FAILED:
                    assert refresh is not None
                    ended = refresh if decision.next is Next.FAILED else self._join(refresh)
                    if ended.status == SUCCESSFUL:
                        return self._done(ended)
                    raise self._go_back(ended)

    def _decide(self, group: Group) -> Decision:
        since = datetime.fromisoformat(self._plan.when)
        return decide(group, self._account.groups.refreshes(group.name), self._wanted, since)

    def _is_same(self, group: Group) -> bool:
        """Whether the group's version launches the same machines as the wanted one."""
        if group.version is None or not group.version.numbered:
            return False
        if any(member.version != group.version for member in group.staying):
            return False
        templates = self._account.templates
        return bool(content(templates.data(group.version)) == content(templates.data(self._wanted)))

    def _start(self, group: Group) -> None:
        if group.version is None or not group.version.is_of([self._wanted.template]):
            raise words.changed_by_hand(
                group,
                allowed=f"a numbered version of {self._plan.template}",
                change=words.numbered_again(group.name, self._plan.template),
            )
        started = self._account.groups.start(group.name, self._wanted, self._plan.preferences)
        if started is not None:
            self._log(
                f"instance refresh {started}: {group.desired} machines from version {group.version.number} to "
                f"{self._wanted.number}"
            )
        # A read may lag: without the refresh in the list the next look would start another.
        self._see(started)

    def _see(self, refresh_id: str | None) -> None:
        deadline = time.monotonic() + SEEN_WITHIN_SECONDS
        while time.monotonic() < deadline:
            found = self._account.groups.refreshes(self._plan.group)
            if any(one.id == refresh_id if refresh_id else one.active for one in found):
                return
            time.sleep(POLL_SECONDS)

    def _join(self, refresh: Refresh) -> Refresh:
        """Wait for the end; past the deadline, ask AWS to roll back, and wait for that."""
        timeout = timedelta(minutes=self._plan.timeout_minutes)
        found = self._watch.ended(
            refresh.id, lambda one: one.forward and datetime.now(UTC) >= one.started + timeout
        )
        if not found.active:
            return found
        self._log(f"not done after {self._plan.timeout_minutes} minutes: AWS is asked to roll back")
        self._undo()
        return self._watch.ended(refresh.id)

    def _let_end(self, refresh: Refresh, *, undo: bool) -> None:
        number = refresh.version.number if refresh.version else "?"
        if undo:
            self._log(
                f"instance refresh {refresh.id} to version {number} is of an earlier update: it is rolled back"
            )
            self._undo()
        else:
            self._log(
                f"instance refresh {refresh.id} to version {number} is {refresh.status}: waiting for its end"
            )
        self._watch.ended(refresh.id)

    def _undo(self) -> None:
        """Roll the active refresh back; where AWS cannot, end it where it is."""
        if not self._account.groups.roll_back(self._plan.group):
            self._account.groups.cancel(self._plan.group)

    def _settle(self, refresh: Refresh | None) -> dict[str, Any]:
        """Wait for the machines of a group that has the version: at its creation, or after a loss."""
        if not self._watch.healthy(time.monotonic() + self._plan.timeout_minutes * 60):
            raise words.never_healthy(self._plan, self._watch)
        return self._done(refresh)

    def _done(self, refresh: Refresh | None) -> dict[str, Any]:
        plan = self._plan
        if self._account.templates.default(plan.template) != plan.version:
            self._account.templates.set_default(self._wanted)
        when = (refresh.ended if refresh else None) or datetime.now(UTC)
        deployed = f"{record.written(when)} {refresh.id if refresh else CREATION}"
        image = self._account.images.find(plan.image_id)
        before = image.tags.get(deployed_tag(plan.channel)) if image else None
        if before is None or refresh is not None:
            self._account.images.tag(plan.image_id, deployed_tag(plan.channel), deployed)
        else:
            deployed = before
        self._log(f"all machines of {plan.group} run {plan.image_id}")
        return {"imageId": plan.image_id, "version": plan.version, "deployed": deployed}

    def _go_back(self, failed: Refresh) -> PipelineError:
        """Return, and say so."""
        group = self._watch.look()
        before = group.version
        if before is None or before == self._wanted or not before.numbered:
            return words.nothing_before(self._plan, self._watch, failed)
        machines = self._machines_back(group, failed, before)
        image_id = self._image(before)
        if image_id == self._plan.image_id:
            going_back.template(self._account, before)
            return words.template_returned(self._plan, self._watch, failed, before=before, machines=machines)
        going_back.mark(self._account, self._plan, words.reason(failed, self._watch))
        going_back.template(self._account, before)
        going_back.channel(Promotion.of(self._plan), self._plan, image_id)
        return words.returned(
            self._plan, self._watch, failed, image_id=image_id, before=before, machines=machines
        )

    def _image(self, version: Version) -> str:
        """The image of a version; empty if it does not exist."""
        return self._account.templates.image(version) or ""

    def _machines_back(self, group: Group, failed: Refresh, before: Version) -> Refresh | None:
        """Where AWS has not rolled the machines back, a refresh of ours to the group's own version; None if it had."""
        if failed.status == RETURNED or all(member.version == before for member in group.staying):
            return None
        preferences = {
            key: value
            for key, value in self._plan.preferences.items()
            if key in ("MinHealthyPercentage", "MaxHealthyPercentage", "InstanceWarmup")
        }
        self._log(
            f"AWS left machines on version {self._wanted.number}: a refresh brings them to {before.number}"
        )
        started = self._account.groups.start(group.name, before, {**preferences, "SkipMatching": True})
        self._see(started)
        active = [one for one in self._account.groups.refreshes(group.name) if started in (None, one.id)]
        return self._watch.ended(active[0].id)
