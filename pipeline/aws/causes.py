"""Why AWS did not do what was asked, and what to do about it. Imports botocore only where it has been imported already.

Sources: EC2's and SSM's lists of error codes, and "Common error types" of the AWS API references; botocore's list of
throttling codes (botocore/retries/standard.py).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
    }
)
"""The services' words for "you may not"."""

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
LATE = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
"""The request's time is too far from AWS's."""

UNKNOWN = frozenset(
    {
        "AuthFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "UnrecognizedClientException",
    }
)
SIGNATURE = frozenset({"IncompleteSignature", "InvalidSignatureException", "SignatureDoesNotMatch"})

_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_OUT_OF_ORDER = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Unavailable",
    }
)
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ConfigNotFound",
    "ProfileNotFound",
    "InvalidConfigError",
)
_LOGGED_OUT = ("SSOError", "TokenRetrievalError", "NoAuthTokenError", "LoginError")
_CREDENTIALS = "the credentials in the environment, or aws:profile and aws:region in the stack file"
_LONGEST = 600


def throttled(code: str, status: int) -> bool:
    """Whether AWS was asked too much."""
    return code in _THROTTLED or status == 429


def out_of_order(code: str, status: int) -> bool:
    """Whether the fault is AWS's own. A lack of capacity is not, though EC2 answers it with status 500."""
    return code in _OUT_OF_ORDER or (status >= 500 and not code.startswith("Insufficient"))


def of_all(error: Any) -> bool:
    """Whether the refusal would meet every other call as well, and is not about the thing that was named.

    Args:
        error: A ClientError of botocore's.
    """
    code, status = _code(error), int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return (
        throttled(code, status) or out_of_order(code, status) or code in EXPIRED | LATE | UNKNOWN | SIGNATURE
    )


def said(error: Any) -> str:
    """What a ClientError of botocore's says, in one line and without botocore's preamble."""
    return _line(f"{_code(error)}: {error.response.get('Error', {}).get('Message', '')}")


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a call did not do what it was for.

    Attributes:
        what: In words, with ``{purpose}`` for what was wanted.
        seen: What AWS or botocore said, in one line.
        allowed: What would be right.
        change: What to do.
    """

    what: str
    seen: str
    allowed: str | None
    change: str


def of(error: Exception, *, region: str, profile: str | None = None) -> Cause | None:
    """The cause of what botocore raised; None if the error is not about AWS.

    Args:
        error: The error.
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
    """
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint: "):
        return Cause(
            what="could not {purpose}: the endpoint's address is not valid",
            seen=str(error).removeprefix("Invalid endpoint: "),
            allowed="a URL such as http://localhost:5000",
            change="AWS_ENDPOINT_URL, or unset it for AWS itself; or aws:region in the stack file",
        )
    if isinstance(error, RuntimeError) and "refreshed credentials are still expired" in str(error):
        # botocore's words for AWS_CREDENTIAL_EXPIRATION in the past (botocore/credentials.py).
        return Cause(
            what="could not {purpose}: the credentials have expired",
            seen=_line(error),
            allowed="credentials that are still valid",
            change="log in again, or renew the token; then run it again",
        )
    # What has not been imported cannot have raised it.
    botocore = sys.modules.get("botocore.exceptions")
    parsers = sys.modules.get("botocore.parsers")
    if botocore is not None and isinstance(error, botocore.ClientError):
        return _refused(error, region)
    if parsers is not None and isinstance(error, parsers.ResponseParserError):
        return Cause(
            what="could not {purpose}: what answered was not AWS",
            seen=_line(error),
            allowed="an answer of AWS",
            change="the proxy of this machine (HTTPS_PROXY), or AWS_ENDPOINT_URL; then run it again",
        )
    if botocore is not None and isinstance(error, botocore.BotoCoreError):
        return _unasked(error, botocore, region=region, profile=profile)
    return None


def _refused(error: Any, region: str) -> Cause:
    code = _code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    seen = _line(error)
    for found, what, allowed, change in (
        (
            throttled(code, status),
            "AWS throttled the calls to {purpose}, for as long as they were tried",
            "fewer calls at a time in this account and region",
            "run it again in some minutes; what else calls AWS much here (CloudTrail shows it) has the same quota",
        ),
        (
            out_of_order(code, status),
            "AWS is out of order: it could not {purpose}, for as long as it was tried",
            None,
            f"run it again later; the AWS Health Dashboard says how {region} is",
        ),
        (
            code in DENIED,
            "the identity may not {purpose}",
            f"an identity whose policies allow {error.operation_name} in {region}",
            "its policies (iam/ has them; iam/actions.yaml has each action's reason), or other credentials",
        ),
        (
            code in EXPIRED,
            "could not {purpose}: the credentials have expired",
            "credentials that are still valid",
            "log in again (`aws sso login`), or renew the token; then run it again",
        ),
        (
            code in LATE,
            "could not {purpose}: the request's time is not AWS's",
            "a clock that is right to five minutes",
            "this machine's clock; then run it again",
        ),
        (
            code in UNKNOWN,
            "could not {purpose}: AWS does not know the credentials",
            f"credentials of an account where {region} is enabled",
            _CREDENTIALS,
        ),
        (
            code in SIGNATURE,
            "could not {purpose}: the secret key is wrong, or this machine's clock",
            "the secret access key of the access key id",
            f"AWS_SECRET_ACCESS_KEY and the clock; or {_CREDENTIALS}",
        ),
    ):
        if found:
            return Cause(what=what, seen=seen, allowed=allowed, change=change)
    return Cause(
        what="AWS refused to {purpose}",
        seen=seen,
        allowed=None,
        change="what AWS says is the cause; then run it again",
    )


def _unasked(error: Exception, botocore: Any, *, region: str, profile: str | None) -> Cause:
    names = {one.__name__ for one in type(error).__mro__}
    whose = f" in profile {profile}" if profile else ""
    if names & set(_NO_CREDENTIALS):
        return Cause(
            what="could not {purpose}: there are no credentials" + whose,
            seen=_line(error),
            allowed=f"working credentials for {region}" + whose,
            change="`aws configure`, `aws sso login`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
            "environment; or aws:profile in the stack file",
        )
    if names & set(_LOGGED_OUT):
        return Cause(
            what="could not {purpose}: the login has expired" + whose,
            seen=_line(error),
            allowed="a login that is still valid",
            change="`aws sso login`; then run it again",
        )
    if isinstance(error, botocore.WaiterError):
        return Cause(
            what="could not {purpose}",
            seen=_line(error),
            allowed=None,
            change="its state in AWS's console says more; then run it again",
        )
    if isinstance(error, botocore.SSLError):
        return Cause(
            what="could not {purpose}: the connection to AWS is not trusted",
            seen=_line(error),
            allowed="a certificate that this machine trusts",
            change="AWS_CA_BUNDLE, if a proxy has a certificate of its own",
        )
    if isinstance(error, (botocore.ConnectionError, botocore.HTTPClientError)):
        return Cause(
            what="could not {purpose}: AWS was not reached",
            seen=_line(error),
            allowed="an endpoint that answers",
            change="start what AWS_ENDPOINT_URL names, or unset it for AWS itself; check aws:region, the network and "
            "the proxy",
        )
    return Cause(
        what="could not {purpose}",
        seen=_line(error),
        allowed=None,
        change=f"what is named above; or {_CREDENTIALS}",
    )


def _line(error: Exception | str) -> str:
    """What an error says in one line; EC2's encoded authorization messages are thousands of characters long."""
    # botocore's own retries are off (`pipeline.aws.patience`), and so it says of each error.
    text = " ".join(str(error).replace(" (reached max retries: 0)", "").split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
