"""The errors that the service answers with, one function for each situation.

Texts in the comments' sense "recorded" were seen on the wire; for the rest the nearest
recorded wording was taken. Every message that goes out ends in a time stamp in brackets, as
the service's do; :mod:`turkbatch.server.protocol` adds it.

Sources: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ (page of each
operation), issue reports of boto3, Dallinger, psiTurk and ParlAI.
"""

from __future__ import annotations

from collections.abc import Iterable

_PREFIX = "AWS.MechanicalTurk."


class Refusal(Exception):  # noqa: N818, an answer of the service's, not a fault of ours
    """A request answered with an error.

    Parameters
    ----------
    kind : str
        What clients see as the error's code: ``__type`` in the body.
    message : str
        Without the time stamp.
    turk_error_code : str, optional
        ``TurkErrorCode`` in the body.
    status : int
        HTTP status.
    stamped : bool
        Whether the message gets the time stamp; what AWS's front end says has none.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        turk_error_code: str | None = None,
        status: int = 400,
        *,
        stamped: bool = True,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.turk_error_code = turk_error_code
        self.status = status
        self.stamped = stamped


def request_error(code: str, message: str) -> Refusal:
    """Refuse for a reason in the service's business.

    Parameters
    ----------
    code : str
        The part of TurkErrorCode behind ``AWS.MechanicalTurk.``.
    message : str
        Without the time stamp.

    Returns
    -------
    Refusal
        To be raised, as from every function here.
    """
    return Refusal("RequestError", message, _PREFIX + code)


def hit_does_not_exist(hit_id: str) -> Refusal:
    """Refuse an unknown HIT; the text is recorded, with its small letters.

    Parameters
    ----------
    hit_id : str
        The HIT.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error("HITDoesNotExist", f"Hit {hit_id} does not exist.")


def hit_type_does_not_exist(hit_type_id: str) -> Refusal:
    """Refuse an unknown HIT type; the text follows that of an unknown HIT.

    Parameters
    ----------
    hit_type_id : str
        The HIT type.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error("HITTypeDoesNotExist", f"HIT type {hit_type_id} does not exist.")


def assignment_does_not_exist(assignment_id: str) -> Refusal:
    """Refuse an unknown assignment; the text is recorded.

    Parameters
    ----------
    assignment_id : str
        The assignment.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error("AssignmentDoesNotExist", f"Assignment {assignment_id} does not exist.")


def invalid_assignment_state(*allowed: str) -> Refusal:
    """Refuse what the assignment's state does not allow; the text is recorded.

    Parameters
    ----------
    *allowed : str
        States that would allow it.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidAssignmentState",
        f"This operation can be called with a status of: {','.join(allowed)}",
    )


def invalid_hit_state(status: str, *allowed: str) -> Refusal:
    """Refuse what the HIT's state does not allow; recorded, with its two blanks.

    Parameters
    ----------
    status : str
        The state that it is in.
    *allowed : str
        States that would allow it.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidHITState",
        f"This HIT is currently in the state '{status}'.  "
        f"This operation can be called with a status of: {', '.join(allowed)}",
    )


def hit_already_exists(hit_id: str) -> Refusal:
    """Refuse a token that made a HIT within 24 hours; the HIT's id is in the text.

    Parameters
    ----------
    hit_id : str
        The HIT.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error("HitAlreadyExists", f'The HIT with ID "{hit_id}" already exists.')


def duplicate_call(request_id: str) -> Refusal:
    """Refuse a token that was used within 24 hours.

    The text is unconfirmed; that it holds the id of the first request is documented, and
    one client looks for the word "idempotency".

    Parameters
    ----------
    request_id : str
        Of the first request with the token.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "DuplicateCall",
        "The idempotency token of this request was used before, by the request with the ID "
        f'"{request_id}".',
    )


def insufficient_funds() -> Refusal:
    """Refuse what the account can't pay for; the text is recorded.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InsufficientFunds",
        "This Requester has insufficient funds in their account to complete this transaction. "
        "Please visit https://requester.mturk.com/prepayments/new to purchase Prepaid HITs.",
    )


def invalid_maximum_assignments_increase() -> Refusal:
    """Refuse to take a HIT from fewer than ten assignments to ten or more.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidMaximumAssignmentsIncrease",
        "HITs created with fewer than 10 assignments cannot be extended to have 10 or more "
        "assignments.",
    )


def xml_error(details: str) -> Refusal:
    """Refuse XML that can't be parsed or breaks its schema; the text is recorded.

    Parameters
    ----------
    details : str
        What the parser found.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ParameterValidationError",
        "There was an error parsing the XML question or answer data in your request. Please "
        "make sure the data is well-formed and validates against the appropriate schema. "
        f"Details: {details}",
        _PREFIX + "XMLParseError",
    )


def xhtml_error(details: str) -> Refusal:
    """Refuse FormattedContent outside the XHTML subset; the text follows that for XML.

    Parameters
    ----------
    details : str
        What was found.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ParameterValidationError",
        "There was an error parsing the XHTML data in your request. Please make sure the data "
        f"is well-formed and validates against the appropriate schema. Details: {details}",
        _PREFIX + "XHTMLParseError",
    )


def qualification_type_does_not_exist(qualification_type_id: str) -> Refusal:
    """Refuse an unknown qualification type; the text is unconfirmed.

    Parameters
    ----------
    qualification_type_id : str
        The qualification type.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "QualificationTypeDoesNotExist",
        f"QualificationType {qualification_type_id} does not exist.",
    )


def qualification_type_already_exists() -> Refusal:
    """Refuse a second qualification type of one name; the text is recorded.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "QualificationTypeAlreadyExists",
        "You have already created a QualificationType with this name. A QualificationType's name "
        "must be unique among all of the QualificationTypes created by the same user.",
    )


def invalid_qualification_type_state() -> Refusal:
    """Refuse a qualification type that is being deleted; the text is recorded.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidQualificationTypeState",
        "This operation can be called with a status of: Active,Inactive",
    )


def inactive_qualification_type() -> Refusal:
    """Refuse a HIT that needs an inactive type; the text follows a recorded one.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidQualificationTypeState",
        "This operation can be called with a status of: Active",
    )


def qualification_does_not_exist() -> Refusal:
    """Refuse a qualification that the worker never had; the text is recorded.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "QualificationDoesNotExist", "You requested a Qualification that does not exist."
    )


def invalid_qualification_state() -> Refusal:
    """Refuse a revoked qualification; the text was seen by clients.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidQualificationState",
        "This operation can be called with a status of: Granted",
    )


def qualification_request_does_not_exist(request_id: str) -> Refusal:
    """Refuse an unknown qualification request; the text is unconfirmed.

    Parameters
    ----------
    request_id : str
        The request.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "QualificationRequestDoesNotExist", f"QualificationRequest {request_id} does not exist."
    )


def invalid_qualification_request_state() -> Refusal:
    """Refuse to decide a request again; the text follows those of other states.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidQualificationRequestState",
        "This operation can be called with a status of: Submitted",
    )


def permission_denied() -> Refusal:
    """Refuse what only an owner may do, such as changing a system type; unconfirmed.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "PermissionDenied", "You do not have permission to perform this operation."
    )


def layout_does_not_exist(layout_id: str) -> Refusal:
    """Refuse an unknown layout; the text is unconfirmed.

    Parameters
    ----------
    layout_id : str
        The layout.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error("HITLayoutDoesNotExist", f"HIT layout {layout_id} does not exist.")


def missing_layout_parameters(names: Iterable[str]) -> Refusal:
    """Refuse a layout that lacks values; the text is recorded.

    Parameters
    ----------
    names : iterable of str
        Of the placeholders.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ParameterValidationError",
        "Your request is missing required parameters. Required parameters include "
        "HITLayoutParameter. You have not provided all required HITLayout parameters. Missing "
        f"parameter names: {', '.join(names)}",
        _PREFIX + "MissingParameters",
    )


def invalid_worker_id() -> Refusal:
    """Refuse to unblock what is no worker; the text is in the API model.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error("InvalidParameterValue", "WorkerId is invalid.")


def assignments_taken(status: str) -> Refusal:
    """Refuse to change the type of a HIT that workers have taken; unconfirmed.

    Parameters
    ----------
    status : str
        The HIT's.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidHITState",
        f"This HIT is currently in the state '{status}'.  The HIT type of a HIT cannot be "
        "changed after assignments have been accepted or submitted.",
    )


def invalid_transport_endpoint(destination: str) -> Refusal:
    """Refuse a destination that can't be one of its transport; unconfirmed.

    Parameters
    ----------
    destination : str
        As sent.

    Returns
    -------
    Refusal
        To be raised.
    """
    return request_error(
        "InvalidTransportEndpoint",
        f'The destination "{destination}" is not valid for the transport.',
    )


def invalid_value(parameter: str, value: object) -> Refusal:
    """Refuse a parameter's value; the text is recorded.

    Parameters
    ----------
    parameter : str
        Its name in the API.
    value : object
        As sent.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ParameterValidationError",
        f'The value "{value}" is not valid for the parameter {parameter}.',
        _PREFIX + "InvalidParameterValue",
    )


def too_short(parameter: str, minimum: int) -> Refusal:
    """Refuse a text that is too short; recorded, with its two blanks.

    Parameters
    ----------
    parameter : str
        Its name in the API.
    minimum : int
        Characters.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ParameterValidationError",
        f"Your request parameter {parameter}  has a minimum length of {minimum}.",
        _PREFIX + "MinimumLengthNotMet",
    )


def too_long(parameter: str, maximum: int) -> Refusal:
    """Refuse a text that is too long; worded after the recorded text for too short.

    Parameters
    ----------
    parameter : str
        Its name in the API.
    maximum : int
        Characters, or bytes of a question.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ParameterValidationError",
        f"Your request parameter {parameter}  has a maximum length of {maximum}.",
        _PREFIX + "MaximumLengthExceeded",
    )


def missing_parameters(names: str) -> Refusal:
    """Refuse a request that lacks something the model does not require.

    Parameters
    ----------
    names : str
        What is missing.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ParameterValidationError",
        f"Your request is missing required parameters. Required parameters include {names}.",
        _PREFIX + "MissingParameters",
    )


def invalid_combination(*parameters: str) -> Refusal:
    """Refuse parameters that exclude one another; the text is recorded.

    Parameters
    ----------
    *parameters : str
        Their names in the API.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "InvalidParameterCombinationError",
        "The combination of parameters supplied to the request is invalid: "
        f"{', '.join(parameters)}.",
    )


def validation(failures: Iterable[str]) -> Refusal:
    """Refuse what breaks the model itself, in the front end's recorded wording.

    Parameters
    ----------
    failures : iterable of str
        One clause for each constraint.

    Returns
    -------
    Refusal
        To be raised.
    """
    found = list(failures)
    plural = "" if len(found) == 1 else "s"
    return Refusal(
        "ValidationException",
        f"{len(found)} validation error{plural} detected: {'; '.join(found)}",
    )


def unknown_operation(target: str) -> Refusal:
    """Refuse a target that is no operation of the API.

    Parameters
    ----------
    target : str
        As sent.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal("UnknownOperationException", f'There is no operation "{target}".')


def not_json(reason: str) -> Refusal:
    """Refuse a body that is no JSON object, as AWS's JSON front ends do.

    Parameters
    ----------
    reason : str
        As a sentence.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal("SerializationException", reason)


def too_large(limit_bytes: int) -> Refusal:
    """Refuse a body beyond any that a valid request can have.

    Parameters
    ----------
    limit_bytes : int
        The most that is taken.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "RequestEntityTooLargeException",
        f"The request is larger than {limit_bytes} bytes.",
        status=413,
    )


def throttled() -> Refusal:
    """Refuse because too many requests came; what clients met in big batches.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal("ThrottlingException", "Rate exceeded")


def service_fault() -> Refusal:
    """Fail as the service does in trouble of its own: worth another try.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "ServiceFault",
        "Amazon Mechanical Turk is temporarily unable to process your request. Try your call "
        "again.",
        "AWS.ServiceUnavailable",
        500,
    )


def missing_authentication() -> Refusal:
    """Refuse a request that is not signed; the text is that of AWS's front end.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "MissingAuthenticationTokenException", "Missing Authentication Token", stamped=False
    )


def incomplete_signature(reason: str) -> Refusal:
    """Refuse a header Authorization that can't be read.

    Parameters
    ----------
    reason : str
        As a sentence.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal("IncompleteSignatureException", reason, stamped=False)


def unrecognized_client() -> Refusal:
    """Refuse an access key that nobody has; the text is AWS's.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal(
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        stamped=False,
    )


def invalid_signature(
    reason: str = (
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key and signing method. Consult the service documentation for "
        "details."
    ),
) -> Refusal:
    """Refuse a signature that is wrong, too old or for something else.

    Parameters
    ----------
    reason : str
        As a sentence; the text of AWS for a wrong one, if not given.

    Returns
    -------
    Refusal
        To be raised.
    """
    return Refusal("InvalidSignatureException", reason, stamped=False)
