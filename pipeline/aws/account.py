"""One region of an account: its images, channels, machines, groups and launch templates.

botocore is imported at the first call: a program that asks nothing does not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws import leftovers
from pipeline.aws.channels import Channels
from pipeline.aws.clients import Session
from pipeline.aws.groups import Groups
from pipeline.aws.images import Images
from pipeline.aws.machines import Machines
from pipeline.aws.patience import SHORT
from pipeline.aws.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.aws.leftovers import Chore
    from pipeline.aws.patience import Patience


class Account:
    """What this project uses of one account and region; every failure is one clear error.

    Args:
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
        patience: How long a call may take in all.

    ``AWS_ENDPOINT_URL`` is followed, as by every AWS client.
    """

    def __init__(self, *, region: str, profile: str | None = None, patience: Patience = SHORT) -> None:
        self.region = region
        self._session = Session(region=region, profile=profile, patience=patience)
        self.images = Images(self._session)
        self.channels = Channels(self._session)
        self.machines = Machines(self._session)
        self.groups = Groups(self._session)
        self.templates = Templates(self._session)

    def leftovers(self, bake_id: str) -> Iterator[Chore]:
        """What one run of a bake has left, in words, and how it goes.

        Raises:
            PipelineError: AWS was not reached, or refused; also when a thing is removed.
        """
        return leftovers.of_bake(self._session, bake_id)

    def identity(self) -> str:
        """The ARN of the caller.

        Raises:
            PipelineError: AWS was not reached, or refused.
        """
        with self._session.asking("identify the caller"):
            arn: str = self._session.client("sts").get_caller_identity()["Arn"]
        return arn
