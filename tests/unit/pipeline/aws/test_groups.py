"""What AWS says of groups where moto has nothing to say."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber

from pipeline.aws.account import Account

ENDED = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.usefixtures("aws")
def test_a_refresh_that_has_not_begun_has_no_start() -> None:
    account = Account(region="eu-west-1")
    answer = {
        "InstanceRefreshes": [
            {"InstanceRefreshId": "pending", "Status": "Pending"},
            {"InstanceRefreshId": "never", "Status": "Cancelled", "EndTime": ENDED},
        ]
    }
    with Stubber(account.groups._scaling) as stub:
        stub.add_response("describe_instance_refreshes", answer)
        pending, never = account.groups.refreshes("web-prod")
    assert datetime.now(UTC) - pending.started < timedelta(minutes=1)
    assert never.started == ENDED
