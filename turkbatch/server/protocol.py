"""AWS JSON 1.1 as the service speaks it: requests in, replies and errors out.

A request is ``POST /`` with the header ``X-Amz-Target:
MTurkRequesterServiceV20170117.<Operation>`` and one JSON object. It is held against
botocore's own model of MTurk, including what botocore leaves to the server: maximum lengths,
patterns, enumerations and the size of a page.

A reply is compact JSON in which absent members are left out and times are written as Java
writes a double, ``1.558393704E9``: the only form that fits the Content-Length of recorded
replies. An error has ``__type``, ``Message`` (ending in the time in milliseconds, in
brackets) and ``TurkErrorCode``.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from json import encoder
from typing import Any, Final

import botocore.loaders
import botocore.model

from turkbatch.server import refusals

TARGET_PREFIX: Final = "MTurkRequesterServiceV20170117."
CONTENT_TYPE: Final = "application/x-amz-json-1.1"
# The largest valid request carries a Test and an AnswerKey of 65,535 bytes each, which take
# six times as much if a client writes every character as \uXXXX.
MAX_BODY_BYTES: Final = 2 * 1024 * 1024

Parameters = Mapping[str, Any]

_WORKER: Final = "CustomerId"
"""The model's name for the shape of workers' ids."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_INTEGER_BOUNDS = {"integer": 2**31, "long": 2**63}
# 0001-01-01 and 9999-12-31: beyond them no client has a date
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799


@dataclasses.dataclass(frozen=True)
class Request:
    """A request that the model allows.

    Parameters
    ----------
    operation : str
        Its name in the API, such as ``GetHIT``.
    parameters : Mapping
        As sent, without nulls and unknown members; times as seconds since 1970.
    """

    operation: str
    parameters: Parameters


@dataclasses.dataclass(frozen=True)
class Reply:
    """What goes back to the client.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : Mapping
        With Date, Content-Type, Content-Length and x-amzn-RequestId.
    body : bytes
        As on the wire.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@functools.cache
def service_model() -> botocore.model.ServiceModel:
    """Load botocore's model of MTurk.

    Returns
    -------
    botocore.model.ServiceModel
        The one that is installed with botocore: models in the user's home are not looked
        at, since they may say anything.
    """
    loader = botocore.loaders.Loader(
        extra_search_paths=[botocore.loaders.Loader.BUILTIN_DATA_PATH],
        include_default_search_paths=False,
    )
    return botocore.model.ServiceModel(loader.load_service_model("mturk", "service-2"), "mturk")


def operation_of(headers: Mapping[str, str]) -> str:
    """Tell which operation a request is for.

    Parameters
    ----------
    headers : Mapping
        Of the request; names in any case.

    Returns
    -------
    str
        Its name in the API.

    Raises
    ------
    Refusal
        UnknownOperationException, if there is none or it isn't the API's.
    """
    target = next((v for k, v in headers.items() if k.lower() == "x-amz-target"), "")
    operation = target.removeprefix(TARGET_PREFIX)
    if operation == target or operation not in service_model().operation_names:
        raise refusals.unknown_operation(target)
    return operation


def parse_request(
    operation: str, body: bytes, *, is_person: Callable[[str], bool] = lambda _: False
) -> Request:
    """Read a request's body and hold it against the model.

    Parameters
    ----------
    operation : str
        One that the model has.
    body : bytes
        As received. An empty one counts as ``{}``.
    is_person : callable
        Tells whether somebody here has this id, which is none of MTurk's: then it passes for
        a worker's.

    Returns
    -------
    Request
        Ready to be carried out.

    Raises
    ------
    Refusal
        SerializationException for what is no JSON object, ValidationException for what
        breaks the model.
    """
    if len(body) > MAX_BODY_BYTES:
        raise refusals.too_large(MAX_BODY_BYTES)
    shape = service_model().operation_model(operation).input_shape
    sent = _decode(body)
    findings = _Findings([], is_person)
    parameters = _checked(shape, sent, "", findings)
    if findings.failures or not isinstance(parameters, dict):
        raise refusals.validation(findings.failures)
    return Request(operation, parameters)


def success(output: Mapping[str, object], *, request_id: str, now: float) -> Reply:
    """Write the reply to a request that was carried out.

    Parameters
    ----------
    output : Mapping
        Members of the output; those that are None are left out.
    request_id : str
        For the header.
    now : float
        The server's time, in seconds since 1970.

    Returns
    -------
    Reply
        With status 200.
    """
    return _reply(200, output, request_id, now)


def failure(refusal: refusals.Refusal, *, request_id: str, now: float) -> Reply:
    """Write the reply to a request that was refused.

    Parameters
    ----------
    refusal : Refusal
        Why.
    request_id : str
        For the header.
    now : float
        The server's time, in seconds since 1970.

    Returns
    -------
    Reply
        With the refusal's status.
    """
    stamp = f" ({round(now * 1000)})" if refusal.stamped else ""
    body = {
        "__type": refusal.kind,
        "Message": f"{refusal.message}{stamp}",
        "TurkErrorCode": refusal.turk_error_code,
    }
    return _reply(refusal.status, body, request_id, now)


def dump(value: object) -> str:
    """Write a value as the service writes JSON.

    Parameters
    ----------
    value : object
        Of dicts, lists, strings, whole numbers and booleans.
        model has as a timestamp must be wrapped in :class:`Time`.

    Returns
    -------
    str
        Without spaces; members that are None are left out.
    """
    return "".join(_pieces(value))


@dataclasses.dataclass(frozen=True)
class Time:
    """A moment in a reply.

    Parameters
    ----------
    seconds : int
        Since 1970.
    """

    seconds: int

    def __str__(self) -> str:
        return java_double(self.seconds)


def time(seconds: int | None) -> Time | None:
    """Wrap a moment for a reply.

    Parameters
    ----------
    seconds : int or None
        Since 1970.

    Returns
    -------
    Time or None
        None, and so left out, where there is no moment.
    """
    return None if seconds is None else Time(seconds)


def java_double(number: int) -> str:
    """Write a whole number as Java's ``Double.toString`` does.

    Parameters
    ----------
    number : int
        Up to 2**53.

    Returns
    -------
    str
        Such as ``1.558393704E9``, or ``12.0`` below ten million.
    """
    if abs(number) < 10**7:
        return f"{number}.0"
    sign, digits = ("-", str(-number)) if number < 0 else ("", str(number))
    return f"{sign}{digits[0]}.{digits[1:].rstrip('0') or '0'}E{len(digits) - 1}"


def _reply(status: int, body: Mapping[str, object], request_id: str, now: float) -> Reply:
    content = dump(body).encode()
    headers = {
        "x-amzn-RequestId": request_id,
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(content)),
        # By the server's own clock: clients measure the age of their tokens by it.
        "Date": email.utils.formatdate(now, usegmt=True),
    }
    return Reply(status, headers, content)


def _pieces(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield "true" if value else "false"
        case int() | Time():
            yield str(value)
        case str():
            yield encoder.encode_basestring(value)
        case Mapping():
            members = [
                f"{encoder.encode_basestring(str(key))}:{dump(member)}"
                for key, member in value.items()
                if member is not None
            ]
            yield "{" + ",".join(members) + "}"
        case list() | tuple():
            yield "[" + ",".join(dump(item) for item in value) + "]"
        case _:
            raise TypeError(f"a reply cannot hold {type(value).__name__}")


def _decode(body: bytes) -> dict[str, object]:
    try:
        sent = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise refusals.not_json("The request's body is not valid JSON.") from None
    if not isinstance(sent, dict):
        raise refusals.not_json("The request's body is not a JSON object.")
    return sent


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


@dataclasses.dataclass(frozen=True)
class _Findings:
    """What breaks the model, and how to tell whose id one is that the model doesn't know."""

    failures: list[str]
    is_person: Callable[[str], bool]


def _checked(
    shape: botocore.model.Shape | None, value: object, path: str, findings: _Findings
) -> object:
    """Give the value without what the model does not know; note what breaks the model."""
    match shape:
        case botocore.model.StructureShape():
            return _checked_structure(shape, value, path, findings)
        case botocore.model.ListShape():
            if not isinstance(value, list):
                findings.failures.append(_constraint(value, path, "Member must be a list"))
                return []
            return [
                _checked(shape.member, item, f"{path}.{number}.member", findings)
                for number, item in enumerate(value, start=1)
            ]
        case None:  # an operation without input
            return {}
        case _:
            return _checked_scalar(shape, value, path, findings)


def _checked_structure(
    shape: botocore.model.StructureShape, value: object, path: str, findings: _Findings
) -> dict[str, Any]:
    if not isinstance(value, dict):
        findings.failures.append(_constraint(value, path, "Member must be a structure"))
        return {}
    checked = {}
    for name, member in shape.members.items():
        # The service names members with a small first letter here ("Value null at 'reason'").
        inner = f"{path}.{name[0].lower()}{name[1:]}".removeprefix(".")
        if value.get(name) is not None:
            checked[name] = _checked(member, value[name], inner, findings)
        elif name in shape.required_members:
            findings.failures.append(_constraint(None, inner, "Member must not be null"))
    return checked


def _checked_scalar(
    shape: botocore.model.Shape, value: object, path: str, findings: _Findings
) -> object:
    if shape.type_name == "timestamp":
        seconds = _timestamp(value)
        if seconds is None:
            findings.failures.append(_constraint(value, path, "Member must be a timestamp"))
        return seconds
    problem = _type_problem(shape.type_name, value)
    if problem is not None:
        findings.failures.append(_constraint(value, path, problem))
        return value
    problems = list(_bound_problems(shape, value))
    if problems and shape.name == _WORKER and findings.is_person(str(value)):
        return value
    findings.failures.extend(_constraint(value, path, problem) for problem in problems)
    return value


def _type_problem(type_name: str, value: object) -> str | None:
    match type_name:
        case "string":
            if not isinstance(value, str):
                return "Member must be a string"
            # Neither can be stored by every database or sent back by every client.
            if _UNSTORABLE.search(value):
                return "Member must hold Unicode characters other than null"
        case "boolean":
            if not isinstance(value, bool):
                return "Member must be a boolean"
        case _:
            bound = _INTEGER_BOUNDS[type_name]
            if isinstance(value, bool) or not isinstance(value, int):
                return "Member must be a whole number"
            if not -bound <= value < bound:
                return f"Member must be between {-bound} and {bound - 1}"
    return None


def _bound_problems(shape: botocore.model.Shape, value: object) -> Iterator[str]:
    limits = shape.metadata
    text = value if isinstance(value, str) else ""
    size, subject = (value, "value") if isinstance(value, int) else (len(text), "length")
    if "min" in limits and size < limits["min"]:
        yield f"Member must have {subject} greater than or equal to {limits['min']}"
    if "max" in limits and size > limits["max"]:
        yield f"Member must have {subject} less than or equal to {limits['max']}"
    if "pattern" in limits and not _pattern(limits["pattern"]).match(text):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    # In Python "$" also matches before a line break at the end.
    return re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)


def _constraint(value: object, path: str, constraint: str) -> str:
    if value is None:
        shown = "null"
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        shown = f"'{text[:100].encode(errors='replace').decode()}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _timestamp(value: object) -> int | None:
    """Read a time in the forms that clients send: a number, or ISO 8601."""
    if isinstance(value, str):
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        value = moment.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if _EARLIEST <= value <= _LATEST else None
