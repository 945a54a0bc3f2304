"""Recruiting platforms: how their participants arrive, and how they go back.

A platform opens an address of ours with its participant's id in it, and has the participant
return by an address of its own, or with a code. All that differs between platforms is here:
names of parameters, placeholders, forms of ids, addresses, and the files that they take.

Sources: https://docs.prolific.com/api-reference/studies/the-study-object,
https://docs.prolific.com/documentation/core-concepts/reviewing-submissions-and-rewards,
https://connect-researcher-help.cloudresearch.com/hc/en-us/articles/5046202939796,
https://www.sona-systems.com/researcher/external-study-credit-granting/,
https://www.sona-systems.com/researcher/server-side-completion-url-responses/. Connect's
parameters and return address were read from public projects that use them.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import string
import urllib.parse
from collections.abc import Mapping
from typing import Final, Literal

Name = Literal["prolific", "connect", "sona", "generic"]
Verify = Literal["none", "api", "token"]
Outcome = Literal["completed", "screened_out", "full", "no_consent"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("completed", "screened_out", "full", "no_consent")
"""How a visit can end with a code, in the order in which they are listed."""

_ANY_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_OBJECT_ID: Final = r"[0-9a-f]{24}"
# None that is read as another: a code is copied by hand where the way back fails.
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclasses.dataclass(frozen=True)
class Provider:
    """What is particular to a recruiting platform.

    Parameters
    ----------
    name : str
        What ``--provider`` calls it.
    title : str
        What people call it.
    participant, study, session : str
        Names of the parameters that it, or its form, fills in; empty if it has none.
    placeholders : tuple of str
        What stands for participant, study and session in an address; empty where the
        platform appends them by itself.
    id_form : str
        Regular expression of a participant's id, and of the others'.
    return_url : str
        Where participants go back, with ``{code}`` and others in it; empty if there is none.
    outcomes : tuple of str
        For which codes are made unless they are given.
    verifies : tuple of str
        By what a participant's id can be proven.
    api_url : str
        Of its API.
    gone : tuple of str
        What the API calls submissions whose place is free again.
    """

    name: Name
    title: str
    participant: str
    study: str
    session: str
    placeholders: tuple[str, str, str]
    id_form: str
    return_url: str
    outcomes: tuple[Outcome, ...]
    verifies: tuple[Verify, ...] = ("none",)
    api_url: str = ""
    gone: tuple[str, ...] = ()


_ALL: Final = (
    Provider(
        name="prolific",
        title="Prolific",
        participant="PROLIFIC_PID",
        study="STUDY_ID",
        session="SESSION_ID",
        placeholders=("{{%PROLIFIC_PID%}}", "{{%STUDY_ID%}}", "{{%SESSION_ID%}}"),
        id_form=_OBJECT_ID,
        return_url="https://app.prolific.com/submissions/complete?cc={code}",
        outcomes=OUTCOMES,
        verifies=("none", "api", "token"),
        api_url="https://api.prolific.com",
        gone=("RETURNED", "TIMED-OUT"),
    ),
    Provider(
        name="connect",
        title="Connect",
        participant="participantId",
        study="projectId",
        session="assignmentId",
        placeholders=("", "", ""),
        id_form=_ANY_ID,
        return_url="https://connect.cloudresearch.com/participant/project/{code}/complete",
        # Whether others can go back by a code of their own is the platform's to allow.
        outcomes=("completed",),
        verifies=("none", "api"),
        api_url="https://connect-api.cloudresearch.com",
    ),
    Provider(
        name="sona",
        title="SONA",
        participant="sona_id",
        study="",
        session="",
        placeholders=("%SURVEY_CODE%", "", ""),
        id_form=_ANY_ID,
        return_url="",
        # It gives credit by an address, and has no codes.
        outcomes=(),
    ),
    Provider(
        name="generic",
        title="the platform",
        participant="participant",
        study="",
        session="",
        placeholders=("", "", ""),
        id_form=_ANY_ID,
        return_url="",
        outcomes=OUTCOMES,
    ),
)
BY_NAME: Final[Mapping[str, Provider]] = {one.name: one for one in _ALL}
"""Every platform by its name."""


def looks_real(provider: Provider, value: str) -> bool:
    """Tell whether an id has the form of the platform's.

    Parameters
    ----------
    provider : Provider
        The platform.
    value : str
        As it arrived.

    Returns
    -------
    bool
        False for what a preview or a placeholder that nobody filled in leaves there.
    """
    return re.fullmatch(provider.id_form, normal(provider, value), re.ASCII) is not None


def normal(provider: Provider, value: str) -> str:
    """Write an id as the platform writes it.

    Parameters
    ----------
    provider : Provider
        The platform.
    value : str
        As it arrived.

    Returns
    -------
    str
        Prolific's in lower case.
    """
    return value.lower() if provider.name == "prolific" else value


def new_code(provider: Provider) -> str:
    """Make a code that a platform takes.

    Parameters
    ----------
    provider : Provider
        The platform.

    Returns
    -------
    str
        At least 40 random bits: who is screened out can't guess the code of the others.
    """
    if provider.name == "connect":
        return secrets.token_hex(5).upper()
    return "C" + "".join(secrets.choice(_LETTERS) for _ in range(8))


def template_fields(template: str) -> set[str]:
    """List what is to be filled into an address.

    Parameters
    ----------
    template : str
        With names in braces.

    Returns
    -------
    set of str
        The names.

    Raises
    ------
    ValueError
        If its braces don't fit, or hold more than names.
    """
    found = set()
    for _, name, form, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if form or conversion or not re.fullmatch(r"\w+", name):
            raise ValueError(f"{{{name}}} is no name in braces")
        found.add(name)
    return found


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill values into an address.

    Parameters
    ----------
    template : str
        With names in braces.
    values : Mapping
        For each name; quoted as an address needs it.

    Returns
    -------
    str
        The address.
    """
    return template.format_map({name: urllib.parse.quote(v, safe="") for name, v in values.items()})


def credit_urls(given: str) -> tuple[str, str]:
    """Work out both of SONA's addresses for credit from either of them.

    Parameters
    ----------
    given : str
        The server-side or the client-side completion URL of a study, as SONA shows it.

    Returns
    -------
    tuple of (str, str)
        The server-side one and the client-side one, with ``{participant}`` for the survey
        code.

    Raises
    ------
    ValueError
        If it has no experiment_id or credit_token.
    """
    parts = urllib.parse.urlsplit(given)
    query = dict(urllib.parse.parse_qsl(parts.query))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("a full address is needed, beginning with https://")
    missing = [name for name in ("experiment_id", "credit_token") if not query.get(name)]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}; copy it from the study's page")
    quoted = urllib.parse.urlencode(
        {name: query[name] for name in ("experiment_id", "credit_token")}
    )
    # In a template braces stand for names.
    rest = quoted.replace("{", "%7B").replace("}", "%7D") + "&survey_code={participant}"
    base = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{base}/services/SonaAPI.svc/WebstudyCredit?{rest}",
        f"{base}/webstudy_credit.aspx?{rest}",
    )
