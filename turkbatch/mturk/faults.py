"""botocore's errors, told apart and turned into ours.

The service answers most refusals as ``RequestError`` with a ``TurkErrorCode``; for the
``__type`` names that botocore's model lacks, the code is lost and only the text is left
(so texts are matched too, by substring: time stamps and ids vary).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import botocore.exceptions
import botocore.parsers

from turkbatch import errors
from turkbatch.mturk import environments

THROTTLING = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "429",
    }
)
CREDENTIALS = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "ExpiredTokenException",
        "ExpiredToken",
        "AccessDeniedException",
        "AccessDenied",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "AWS.NotAuthorized",
        "AWS.BadCredentialSupplied",
        "AWS.BadClaimsSupplied",
    }
)
TEMPORARY = frozenset(
    {
        "ServiceFault",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "AWS.ServiceUnavailable",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
"""Faults of the service's own, whatever their status."""
GONE = frozenset({"410", "GoneException", "UnknownOperationException"})
STATE = re.compile(r"\.(Invalid\w*State|HITAlreadyPassedReview)$")
MISSING = re.compile(r"\.\w*DoesNotExist$")
HIT_IN_MESSAGE = re.compile(r'HIT with ID "?([A-Z0-9]+)"? already exists')
NOT_LINKED = re.compile(r"\baccount\b.*\blink|\blink.*\baccount\b", re.IGNORECASE | re.DOTALL)
LINK_PAGES = (
    "this AWS account is not linked to an MTurk requester account: link it at"
    " https://requester.mturk.com/developer (production) or"
    " https://requestersandbox.mturk.com/developer (sandbox); it works some minutes later"
)


@contextlib.contextmanager
def translated(operation: str, environment: environments.Environment) -> Iterator[None]:
    """Raise our error in place of botocore's, chained to it.

    Parameters
    ----------
    operation : str
        The API operation, such as ``CreateHIT``.
    environment : Environment
        Where it was sent; messages about AWS's endpoints say the ways on.
    """
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise _from_reply(error, operation, environment) from error
    except (
        botocore.exceptions.NoCredentialsError,
        botocore.exceptions.NoAuthTokenError,
    ) as error:
        raise errors.CredentialsError(no_credentials(environment)) from error
    except (
        botocore.exceptions.PartialCredentialsError,
        botocore.exceptions.CredentialRetrievalError,
        botocore.exceptions.MetadataRetrievalError,
        botocore.exceptions.TokenRetrievalError,
        botocore.exceptions.UnknownCredentialError,
        botocore.exceptions.RefreshWithMFAUnsupportedError,
        botocore.exceptions.SSOError,
        botocore.exceptions.LoginError,
        botocore.exceptions.ProfileNotFound,
        botocore.exceptions.ConfigNotFound,
        botocore.exceptions.ConfigParseError,
        botocore.exceptions.InvalidConfigError,
    ) as error:
        raise errors.CredentialsError(unusable_credentials(error, environment)) from error
    except botocore.exceptions.ParamValidationError as error:
        raise errors.ServiceError(f"{operation}: {error}", operation=operation) from error
    except (
        botocore.exceptions.ConnectionError,
        botocore.exceptions.HTTPClientError,
        botocore.exceptions.IncompleteReadError,
        botocore.parsers.ResponseParserError,
        UnicodeDecodeError,  # a page of somebody's, where a reply in JSON should be
    ) as error:
        raise errors.UnreachableError(
            _unreachable(error, operation, environment), operation=operation
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise errors.ServiceError(
            f"{operation}: boto3 could not send it to {environment.place}: {error}",
            operation=operation,
        ) from error


def no_credentials(environment: environments.Environment) -> str:
    """Say that credentials are missing, and every way on."""
    text = (
        f"no AWS credentials were found, which {environment.place} needs: set AWS_ACCESS_KEY_ID"
        " and AWS_SECRET_ACCESS_KEY (see .envrc.example), or give --profile NAME"
    )
    return f"{text}. {environments.WAYS_ON}" if environment.is_aws else text


def unusable_credentials(error: Exception, environment: environments.Environment) -> str:
    """Say that there are credentials, and why they are of no use."""
    text = (
        f"{environment.place} needs AWS credentials, and those found can't be used: {error};"
        " correct them, or give --profile NAME"
    )
    return f"{text}. {environments.WAYS_ON}" if environment.is_aws else text


def _unreachable(error: Exception, operation: str, environment: environments.Environment) -> str:
    text = f"{operation}: no reply from {environment.place}: {error}"
    if environment.is_aws:
        return f"{text}. {environments.WAYS_ON}"
    return f"{text}; check that the server runs and that the address is right"


def _from_reply(
    error: botocore.exceptions.ClientError, operation: str, environment: environments.Environment
) -> errors.TurkbatchError:
    """Tell the service's refusals apart, most specific first."""
    detail = error.response.get("Error", {})
    kind = str(detail.get("Code", ""))
    code = str(error.response.get("TurkErrorCode") or kind)
    text = re.sub(r" \(\d+( s)?\)$", "", str(detail.get("Message") or "no explanation"))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    message = f"{operation}: {text} [{code}]"
    about = {"operation": operation, "code": code}

    if kind in THROTTLING or status == 429:
        return errors.ThrottledError(message, **about)
    if kind in GONE or status == 410:
        if environment.is_aws:
            message = f"{message}. {environments.WAYS_ON}"
        return errors.ServiceError(message, **about)
    if status >= 500 or not TEMPORARY.isdisjoint({kind, code}):
        return errors.FaultError(message, **about)
    if not CREDENTIALS.isdisjoint({kind, code}):
        return errors.ServiceError(f"{message}: {no_credentials_hint(environment)}", **about)
    # A question that can't be parsed is quoted, and may speak of anything.
    if kind == "RequestError" and NOT_LINKED.search(text):
        return errors.ServiceError(f"{message}: {LINK_PAGES}", **about)
    if code.endswith("InsufficientFunds") or "insufficient funds" in text.lower():
        return errors.FundsError(message, **about)
    found = HIT_IN_MESSAGE.search(text)
    if found or code.lower().endswith("hitalreadyexists"):
        return errors.DuplicateError(message, existing_id=found[1] if found else None, **about)
    if code.endswith(".DuplicateCall") or "idempotency" in text.lower():
        return errors.DuplicateError(message, **about)
    if MISSING.search(code) or "does not exist" in text:
        return errors.NotFoundError(message, **about)
    if STATE.search(code) or "can be called with a status of" in text:
        return errors.StateError(message, **about)
    return errors.ServiceError(message, **about)


def no_credentials_hint(environment: environments.Environment) -> str:
    """Say what to do about credentials that the service does not take."""
    if environment.is_loopback:
        return (
            f"{environment.place} wants requests signed with a key of its own, and those of the "
            "environment are not sent to this machine; name a profile that holds one by --profile"
        )
    return f"{environment.place} does not accept these credentials; check the key, or --profile"
