"""Ids in the form that MTurk gives them.

Source: ids in recorded replies have 30 characters of ``[A-Z0-9]`` and begin with 3; the
model allows up to 64.
"""

from __future__ import annotations

import secrets
import string
import uuid

_ALPHABET = string.ascii_uppercase + string.digits
_LENGTH = 30
_IDS = len(_ALPHABET) ** (_LENGTH - 1)


def new_entity_id() -> str:
    """Make the id of a new HIT, HIT type, HIT group or assignment.

    Returns
    -------
    str
        30 characters, beginning with 3; 150 random bits, so never twice.
    """
    # One number instead of a character after another: it is done with every HIT.
    number, characters = secrets.randbelow(_IDS), ["3"]
    for _ in range(_LENGTH - 1):
        number, place = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[place])
    return "".join(characters)


def is_of_the_service(entity_id: str) -> bool:
    """Tell whether an id looks like one that the service made.

    Parameters
    ----------
    entity_id : str
        As sent.

    Returns
    -------
    bool
        True for 30 characters that begin with 3, or 2 as older ones do.
    """
    return len(entity_id) == _LENGTH and entity_id[0] in "23" and set(entity_id) <= set(_ALPHABET)


def new_request_id() -> str:
    """Make the id of a request, as in the header ``x-amzn-RequestId``.

    Returns
    -------
    str
        A UUID in lower case.
    """
    return str(uuid.uuid4())
