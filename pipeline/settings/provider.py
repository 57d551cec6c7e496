"""The AWS provider's keys of stack config: those that the pipeline's steps follow too, and no others.

A step reaches AWS by the environment, a region and a profile. A key that changes who asks, or whom, for the provider
alone would split a stack in two: its resources in one account, its images in another.

Source: the provider's configuration, pulumi-aws 7 (`pulumi package get-schema aws`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.settings.kinds import PROFILE, REGION, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLLOWED = ("region", "profile")
"""What a step is handed."""

HARMLESS = (
    "defaultTags",
    "ignoreTags",
    "maxRetries",
    "retryMode",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
    "tagPolicyCompliance",
    "tokenBucketRateLimiterCapacity",
)
"""What changes neither who asks nor whom; the provider alone obeys it."""

REFUSED = (
    "accessKey",
    "allowedAccountIds",
    "assumeRole",
    "assumeRoles",
    "assumeRoleWithWebIdentity",
    "customCaBundle",
    "ec2MetadataServiceEndpoint",
    "ec2MetadataServiceEndpointMode",
    "endpoints",
    "forbiddenAccountIds",
    "httpProxy",
    "httpsProxy",
    "insecure",
    "noProxy",
    "s3UsEast1RegionalEndpoint",
    "s3UsePathStyle",
    "secretKey",
    "sharedConfigFiles",
    "sharedCredentialsFiles",
    "stsRegion",
    "token",
    "useDualstackEndpoint",
    "useFipsEndpoint",
    "userAgents",
)
"""What the steps would not follow."""


def region_and_profile(config: Mapping[str, str], stack_file: str) -> tuple[str, str | None]:
    """The region, and the profile or None.

    Args:
        config: Full key (``aws:region``) to value, of all namespaces.
        stack_file: The file that holds them, for the errors.

    Raises:
        PipelineError: One of them is missing or not valid; or there is a key of the provider that the steps would not
            follow. Its value may be secret and is not quoted.
    """
    given = {key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")}
    for key in given:
        if key in REFUSED:
            raise PipelineError(
                f"aws:{key} would reach the AWS provider alone, and not the bake, the validation and the promotion",
                allowed="aws:region and aws:profile",
                change=f"remove aws:{key} from {stack_file}; say it in a profile of AWS's config file, and name the "
                "profile in AWS_PROFILE or aws:profile; or use AWS's environment variables",
            )
        if key not in (*FOLLOWED, *HARMLESS):
            known = sorted((*FOLLOWED, *HARMLESS))
            name = visible.cut(key, visible.VALUE_LENGTH)
            raise PipelineError(
                f"aws:{name} is not a known key{nearest(key, known)}",
                seen=visible.quoted(key),
                allowed=", ".join(known),
                change=f"aws:{name} in {stack_file}",
            )
    for key, rule in (("region", REGION), ("profile", PROFILE)):
        value = given.get(key)
        if (value and not rule.matches(value)) or (key == "region" and not value):
            raise PipelineError(
                f"aws:{key} is {'not valid' if value else 'required'}",
                seen=visible.quoted(value) if value else "nothing",
                allowed=rule.allowed,
                change=f"aws:{key} in {stack_file}",
            )
    return given["region"], given.get("profile") or None
