"""The IAM policies are within IAM's limits, and each of their actions is justified."""

import json
import re

import pytest

from tests.policies import FOLDER, POLICIES, actions, document, listed, not_in_the_lab, reasons

LIMIT = 6144
"""Characters of a managed policy without white space (IAM User Guide, IAM and AWS STS quotas)."""

ALL = ("bake", "promote", "group", "preview", "operate")


def test_these_are_all_the_policies() -> None:
    assert set(POLICIES) == set(ALL)


@pytest.mark.parametrize("policy", ALL)
def test_it_fits_into_a_managed_policy(policy: str) -> None:
    assert len(re.sub(r"\s", "", (FOLDER / f"{policy}.json").read_text())) <= LIMIT


@pytest.mark.parametrize("policy", ALL)
def test_it_allows_actions_one_by_one(policy: str) -> None:
    found = document(policy)
    assert found["Version"] == "2012-10-17"
    names = [statement["Sid"] for statement in found["Statement"]]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names), "IAM allows letters and digits"
    assert {statement["Effect"] for statement in found["Statement"]} == {"Allow"}
    assert not [action for action in actions(policy) if "*" in action]


@pytest.mark.parametrize("policy", ALL)
def test_only_reads_are_allowed_on_everything(policy: str) -> None:
    for statement in document(policy)["Statement"]:
        if "*" in listed(statement["Resource"]):
            verbs = {action.partition(":")[2] for action in listed(statement["Action"])}
            assert all(verb.startswith("Describe") for verb in verbs)


def test_a_preview_only_reads() -> None:
    assert all(
        action.partition(":")[2].startswith(("Describe", "Get", "List")) for action in actions("preview")
    )


def test_a_stage_moves_only_its_own_channel() -> None:
    assert '"prod"' not in json.dumps(document("bake"))
    assert "candidate" not in json.dumps([document("promote"), document("group")])


def test_beside_the_policy_of_its_stage_a_group_fits_into_a_role() -> None:
    """What one allows and denies is not spread over both: each statement stands in one of them."""
    for beside in ("bake", "promote"):
        names = [
            statement["Sid"] for policy in (beside, "group") for statement in document(policy)["Statement"]
        ]
        assert len(set(names) - {"LookAround"}) == len(names) - 2


def test_a_list_of_tag_keys_is_never_empty() -> None:
    """``ForAllValues`` is true of an empty list, and DeleteTags without keys removes all tags."""
    for policy in ALL:
        for statement in document(policy)["Statement"]:
            condition = statement.get("Condition", {})
            if "ForAllValues:StringEquals" in condition:
                assert condition["Null"] == {"aws:TagKeys": "false"}, statement["Sid"]


def test_each_action_is_justified_by_a_line() -> None:
    found = reasons()
    assert set(found) == {action for policy in ALL for action in actions(policy)}
    assert all(found.values())
    assert list(found) == sorted(found)


def test_what_the_lab_never_sees_is_allowed_and_has_a_source() -> None:
    found = not_in_the_lab()
    assert set(found) == set(ALL)
    for policy, sources in found.items():
        assert set(sources) <= actions(policy)
        assert all(sources.values())


def test_the_policy_of_the_states_bucket_is_one() -> None:
    """It stands in the page alone, for a bucket of the reader's own."""
    text = (FOLDER / "README.md").read_text()
    (written,) = re.findall(r"^ {6}(\{\"Version\".*?^ {6}\]\})$", text, re.MULTILINE | re.DOTALL)
    lists, objects = json.loads(written)["Statement"]
    assert (lists["Action"], lists["Resource"]) == (
        "s3:ListBucket",
        "arn:aws:s3:::example-golden-image-state",
    )
    assert set(objects["Action"]) == {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
    assert objects["Resource"] == f"{lists['Resource']}/.pulumi/*"
