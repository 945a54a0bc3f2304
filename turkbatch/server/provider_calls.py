"""Requests to recruiting platforms: who a participant is, what became of submissions, credit.

Python's own HTTP does it: it goes by the proxies of the environment, and needs no further
package. No redirect is followed, since the request carries a token; a request is tried three
times at most, and only where nothing can happen twice.

Sources: https://docs.prolific.com/api-reference (submissions, well-known endpoints),
https://www.sona-systems.com/researcher/server-side-completion-url-responses/. Connect's calls
were read from the public client ``tlo9/cloudresearch-connect-api``.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import logging
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from turkbatch.server import links, recruiting

if TYPE_CHECKING:
    import jwt

_logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 5.0
_PAUSES_SECONDS: Final = (0.3, 1.0)
_LONGEST_REPLY: Final = 10_000_000
_KEYS_ARE_GOOD_SECONDS: Final = 86_400
# An unknown key may be a new one, but who invents some must not have us ask each time.
_LOOK_AGAIN_SECONDS: Final = 60
_LEEWAY_SECONDS: Final = 30
_ISSUER: Final = "https://www.prolific.com"
# A submission is RESERVED for the moment before the participant's browser is sent on.
_AT_WORK: Final = ("ACTIVE", "RESERVED")
_MAY_RETURN: Final = (*_AT_WORK, "AWAITING REVIEW", "APPROVED", "PROCESSING", "PARTIALLY APPROVED")
_MOST_PAGES: Final = 1_000


class Unreachable(Exception):  # noqa: N818, what the platform is
    """The platform gave no answer that can be used; the message says why, without secrets."""


class Unproven(Exception):  # noqa: N818, what the ids are
    """The platform says that the ids are not what they seem; the message is for the visitor."""


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a platform answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    body : bytes
        As it came.
    """

    status: int
    body: bytes


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an answer."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401, the library's signature
        """Ask for no other address."""


def get(url: str, headers: Mapping[str, str] | None = None, *, tries: int = 3) -> Reply:
    """Ask a platform for something.

    Parameters
    ----------
    url : str
        The address.
    headers : Mapping, optional
        A token, for example.
    tries : int
        How often at most, while there is no answer, or one of 429 or 5xx.

    Returns
    -------
    Reply
        Whatever it is, a refusal for instance.

    Raises
    ------
    Unreachable
        If no try brought an answer.
    """
    opener = urllib.request.build_opener(_StayHere)
    request = urllib.request.Request(url, headers={"Accept": "*/*", **(headers or {})})
    trouble = "no answer"
    for number in range(tries):
        if number:
            time.sleep(_PAUSES_SECONDS[min(number, len(_PAUSES_SECONDS)) - 1])
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as found:
                return Reply(found.status, found.read(_LONGEST_REPLY))
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 429 and error.code < 500:
                    return Reply(error.code, error.read(_LONGEST_REPLY))
                trouble = f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            trouble = f"{type(error).__name__}: {getattr(error, 'reason', error)}"
    host = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
    raise Unreachable(f"{host} could not be asked: {trouble}")


def look_up(link: recruiting.Link, arrival: links.Arrival, *, is_known: bool) -> None:
    """Ask a platform's API whether the ids of somebody who arrived are theirs.

    Parameters
    ----------
    link : Link
        With an API token.
    arrival : Arrival
        Who.
    is_known : bool
        Whether the session came before: it may have been handed in since.

    Raises
    ------
    Unproven
        If they are not, or the session is over.
    Unreachable
        If the platform could not be asked, or does not take the token.
    """
    if not arrival.session_id:
        raise Unproven("The address lacks the id of your session.")
    if link.provider.name == "connect":
        _look_up_on_connect(link, arrival)
    else:
        _look_up_on_prolific(link, arrival, is_known=is_known)


def check_token(
    link: recruiting.Link,
    token: str,
    arrival: links.Arrival,
    parameters: Mapping[str, str],
    host: str,
) -> None:
    """Check the signed token with which Prolific opens an address.

    Parameters
    ----------
    link : Link
        Of Prolific.
    token : str
        The parameter ``prolific_token``: a JWT.
    arrival : Arrival
        Whose ids it must confirm.
    parameters : Mapping
        All others of the address.
    host : str
        Of this server's address, which the token must be for.

    Raises
    ------
    Unproven
        If it is missing, forged, too old, for another address, or of other ids.
    Unreachable
        If the platform's keys can't be had.
    """
    import jwt

    if not token:
        raise Unproven("The address lacks the proof of who you are.")
    try:
        claims = jwt.decode(
            token,
            _key_of(link, token),
            algorithms=["RS256"],
            issuer=_ISSUER,
            leeway=_LEEWAY_SECONDS,
            # The address as a whole is Prolific's to write; its host must be ours.
            options={"verify_aud": False, "require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except jwt.ExpiredSignatureError:
        raise Unproven("The proof of who you are in the address is too old.") from None
    except jwt.PyJWTError as error:
        _logger.info("a prolific_token was refused: %s", error)
        raise Unproven("The proof of who you are in the address is not genuine.") from None
    _check_claims(claims, arrival, parameters, host)


def submissions(link: recruiting.Link, study_id: str) -> list[links.Submission]:
    """List what a platform knows about a study's submissions.

    Parameters
    ----------
    link : Link
        With an API token.
    study_id : str
        Of the study, or project.

    Returns
    -------
    list of Submission
        All pages of them.

    Raises
    ------
    Unreachable
        If the platform could not be asked, or refuses.
    """
    if link.provider.name == "connect":
        return [
            links.Submission(
                str(one.get("assignmentId") or ""),
                str(one.get("participantId") or ""),
                study_id,
                str(one.get("status") or ""),
                str((one.get("completion") or {}).get("completionCode") or ""),
            )
            for one in _connect_assignments(link, study_id)
        ]
    found: list[links.Submission] = []
    for page in range(1, _MOST_PAGES + 1):
        query = urllib.parse.urlencode({"study": study_id, "page": page, "page_size": 100})
        reply = _ask(link, f"/api/v1/submissions/?{query}")
        # A page behind the last one is answered so.
        if reply.status == 404 and page > 1:
            return found
        document = _document(link, reply)
        rows = [one for one in document.get("results") or [] if isinstance(one, dict)]
        found += [
            links.Submission(
                str(one.get("id") or ""),
                str(one.get("participant_id") or one.get("participant") or ""),
                study_id,
                str(one.get("status") or ""),
                str(one.get("study_code") or one.get("entered_code") or ""),
            )
            for one in rows
        ]
        following = ((document.get("_links") or {}).get("next") or {}).get("href")
        if not rows or not following:
            return found
    raise Unreachable(f"{link.provider.title} gave no last page of its submissions")


def grant_credit(url: str) -> str:
    """Have SONA credit a participant.

    Parameters
    ----------
    url : str
        The server-side address, filled in.

    Returns
    -------
    str
        ``granted``, or what it said instead.

    Raises
    ------
    Unreachable
        If it could not be asked; then it may have happened all the same.
    """
    # Once: a second request for one participant is an error there.
    reply = get(url, tries=1)
    if reply.status != 200:
        return f"HTTP {reply.status}"
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(reply.body, parser)
    except etree.XMLSyntaxError:
        return "an answer that is no XML"
    # It answers 200 to anything: a Result that is there says that it did it.
    nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
    result = root.xpath("//*[local-name() = 'Result']")
    if isinstance(result, list) and any(
        isinstance(one, etree._Element) and one.get(nil) != "true" for one in result
    ):
        return "granted"
    said = root.xpath("string(//*[local-name() = 'Errors'])")
    text = " ".join(str(said).split())[:200]
    return f"refused: {text}" if text else "refused"


def _look_up_on_prolific(link: recruiting.Link, arrival: links.Arrival, *, is_known: bool) -> None:
    path = f"/api/v1/submissions/{urllib.parse.quote(arrival.session_id, safe='')}/"
    reply = _ask(link, path)
    if reply.status in (400, 404):
        raise Unproven("The platform knows of no such session.")
    found = _document(link, reply)
    owner = found.get("participant") or found.get("participant_id")
    if str(owner).lower() != arrival.participant_id:
        raise Unproven("The platform says that this session is another participant's.")
    study = found.get("study_id")
    if arrival.study_id and study and str(study).lower() != arrival.study_id:
        raise Unproven("The platform says that this session belongs to another study.")
    if found.get("status") not in (_MAY_RETURN if is_known else _AT_WORK):
        raise Unproven(
            f"The platform says that this session is over ({found.get('status') or 'no status'})."
        )


def _look_up_on_connect(link: recruiting.Link, arrival: links.Arrival) -> None:
    project = arrival.study_id or link.settings.study_id
    if not project:
        raise Unproven("The address lacks the id of the project.")
    for one in _connect_assignments(link, project):
        if one.get("assignmentId") == arrival.session_id:
            if one.get("participantId") != arrival.participant_id:
                raise Unproven("The platform says that this session is another participant's.")
            return
    raise Unproven("The platform knows of no such session.")


def _connect_assignments(link: recruiting.Link, project: str) -> list[dict[str, Any]]:
    reply = _ask(link, f"/api/v1/assignments/{urllib.parse.quote(project, safe='')}")
    found = _document(link, reply).get("assignments") or []
    return [one for one in found if isinstance(one, dict)]


def _ask(link: recruiting.Link, path: str) -> Reply:
    token = link.settings.api_token or ""
    scheme = {"Authorization": f"Token {token}"}
    if link.provider.name == "connect":
        scheme = {"X-API-KEY": token}
    return get(link.settings.api_url + path, {**scheme, "Accept": "application/json"})


def _document(link: recruiting.Link, reply: Reply) -> dict[str, Any]:
    title = link.provider.title
    if reply.status in (401, 403):
        raise Unreachable(f"{title} does not take the API token (HTTP {reply.status})")
    if reply.status != 200:
        raise Unreachable(f"{title} answered HTTP {reply.status}")
    try:
        found = json.loads(reply.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable(f"{title} answered no JSON object")
    return found


# Signed tokens


@dataclasses.dataclass(frozen=True)
class _Keys:
    found: Mapping[str, jwt.PyJWK]
    at: float


_known_keys: dict[str, _Keys] = {}
_looking = threading.Lock()


def forget_keys() -> None:
    """Have the platform's keys looked up anew."""
    _known_keys.clear()


def _key_of(link: recruiting.Link, token: str) -> jwt.PyJWK:
    import jwt

    kid = jwt.get_unverified_header(token).get("kid")
    if not isinstance(kid, str):
        raise jwt.InvalidTokenError("it names no key")
    url = f"{link.settings.api_url}/.well-known/study/jwks.json"
    with _looking:
        known, now = _known_keys.get(url), time.monotonic()
        age = float("inf") if known is None else now - known.at
        is_missing = known is None or kid not in known.found
        if age > _KEYS_ARE_GOOD_SECONDS or (is_missing and age > _LOOK_AGAIN_SECONDS):
            known = _Keys(_read_keys(link, get(url)), now)
            _known_keys[url] = known
    assert known is not None, "an infinite age has it looked up"
    if kid not in known.found:
        raise jwt.InvalidTokenError("it was signed by an unknown key")
    return known.found[kid]


def _read_keys(link: recruiting.Link, reply: Reply) -> dict[str, jwt.PyJWK]:
    import jwt

    try:
        return {
            one.key_id: one
            for one in jwt.PyJWKSet.from_dict(_document(link, reply)).keys
            if one.key_id is not None
        }
    except jwt.PyJWTError as error:
        raise Unreachable(f"{link.provider.title} gave no keys that can be used") from error


def _check_claims(
    claims: Mapping[str, Any],
    arrival: links.Arrival,
    parameters: Mapping[str, str],
    host: str,
) -> None:
    audience = claims["aud"]
    named = audience if isinstance(audience, list) else [audience]
    if host not in {urllib.parse.urlsplit(str(one)).hostname for one in named}:
        raise Unproven("The proof of who you are is for another site.")
    if arrival.session_id and str(claims["sub"]).lower() != arrival.session_id:
        raise Unproven("The proof of who you are is for another session.")
    said = claims.get("prolific")
    if not isinstance(said, dict):
        raise Unproven("The proof of who you are names no parameters.")
    for name, value in parameters.items():
        if str(said.get(name)) != value:
            raise Unproven("The proof of who you are does not fit the rest of the address.")
