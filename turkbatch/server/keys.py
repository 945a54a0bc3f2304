"""Requesters' keys, and who signed a request.

A key is an access key and a secret, as AWS gives them; several keys of one name are the same
requester. A request is signed with Signature Version 4, and checked here by botocore's own
signer: the same request is signed anew with the secret that is stored, and the signatures
are compared. The secret itself has to be stored for it, as each day's signing key is derived
from it; the database's file is therefore for its owner alone.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html;
the texts of refusals are those of AWS's JSON services.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import botocore.auth
import botocore.awsrequest
import botocore.compat
import botocore.credentials
import sqlalchemy
from sqlalchemy import bindparam

from turkbatch.server import ledger, refusals, schema, store

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.compat import HTTPHeaders

SKEW_SECONDS: Final = 300
"""How far a client's clock may be off (IAM guide, "Why requests are signed")."""
_SERVICE: Final = "mturk-requester"  # the signing name in botocore's model of the API
_PREFIX: Final = "TURK"
_ACCESS_KEY = re.compile(_PREFIX + r"[A-Z2-7]{16}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"
# All that decides what is done must be signed.
_SIGNED_ALWAYS: Final = ("host", "x-amz-date", "x-amz-target")


class KeyNameError(ValueError):
    """A name that no requester can have, or that none has."""


@dataclasses.dataclass(frozen=True)
class Key:
    """An access key, without its secret.

    Parameters
    ----------
    requester : str
        Whose it is.
    access_key : str
        What requests name.
    created_at : int
        Seconds since 1970, by the machine's clock.
    """

    requester: str
    access_key: str
    created_at: int


@dataclasses.dataclass(frozen=True)
class NewKey:
    """A key at the one moment at which its secret is shown.

    Parameters
    ----------
    requester, access_key : str
        As of :class:`Key`.
    secret : str
        40 characters.
    """

    requester: str
    access_key: str
    secret: str


def add(database: store.Store, requester: str) -> NewKey:
    """Make a key for a requester, who may have others.

    Parameters
    ----------
    database : Store
        Of the server.
    requester : str
        A name of letters, digits and ``._@-``. ``default`` is who asks without a key.

    Returns
    -------
    NewKey
        The only time that its secret is told.

    Raises
    ------
    KeyNameError
        If the name has another form.
    """
    if not _NAME.match(requester):
        raise KeyNameError(
            f'"{requester}" can\'t name a requester: take up to 64 letters, digits and ._@-, '
            "beginning with a letter or digit"
        )
    made = NewKey(
        requester,
        _PREFIX + base64.b32encode(secrets.token_bytes(10)).decode(),
        secrets.token_urlsafe(30),
    )
    database.make_private()
    with database.write() as connection:
        connection.execute(
            schema.requester_keys.insert(),
            {
                "access_key": made.access_key,
                "requester": requester,
                "secret": made.secret,
                "created_at": int(time.time()),
            },
        )
    return made


def listed(database: store.Store) -> list[Key]:
    """List all keys, without their secrets.

    Parameters
    ----------
    database : Store
        Of the server.

    Returns
    -------
    list of Key
        By requester and age.
    """
    table = schema.requester_keys
    query = sqlalchemy.select(table.c.requester, table.c.access_key, table.c.created_at)
    with database.read() as connection:
        rows = connection.execute(
            query.order_by(table.c.requester, table.c.created_at, table.c.access_key)
        )
        return [Key(*row) for row in rows]


def remove(database: store.Store, name: str) -> list[Key]:
    """Remove keys; what their requester has stays.

    Parameters
    ----------
    database : Store
        Of the server.
    name : str
        A requester, for all keys of that name, or one access key.

    Returns
    -------
    list of Key
        Those that were removed.

    Raises
    ------
    KeyNameError
        If there is none.
    """
    removed = [key for key in listed(database) if name in (key.requester, key.access_key)]
    if not removed:
        raise KeyNameError(f'there is no key of "{name}"')
    table = schema.requester_keys
    with database.write() as connection:
        connection.execute(
            table.delete().where(table.c.access_key.in_([key.access_key for key in removed]))
        )
    return removed


def requester_of(
    database: store.Store, headers: Mapping[str, str], body: bytes, *, demanded: bool
) -> str:
    """Tell who sent a request over the network, by its signature.

    Parameters
    ----------
    database : Store
        Of the server.
    headers : Mapping
        Of the request; names in any case.
    body : bytes
        Of the request.
    demanded : bool
        Whether only those with a key may ask. Otherwise a request that names no key of this
        server's is the default requester's, whatever credentials a program made up.

    Returns
    -------
    str
        The requester.

    Raises
    ------
    Refusal
        MissingAuthenticationTokenException, IncompleteSignatureException,
        UnrecognizedClientException or InvalidSignatureException.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    if not demanded and f"={_PREFIX}" not in sent.get("authorization", ""):
        return ledger.REQUESTER
    claim = _Claim.read(sent)
    if not demanded and not _ACCESS_KEY.match(claim.access_key):
        return ledger.REQUESTER
    with database.read() as connection:
        found = connection.execute(_SECRET, {"key": claim.access_key}).one_or_none()
    if found is None:
        raise refusals.unrecognized_client()
    _check_moment(claim.timestamp, time.time())
    if not hmac.compare_digest(_signature(claim, found.secret, sent, body), claim.signature):
        raise refusals.invalid_signature()
    return str(found.requester)


_SECRET = sqlalchemy.select(
    schema.requester_keys.c.requester, schema.requester_keys.c.secret
).where(schema.requester_keys.c.access_key == bindparam("key"))


@dataclasses.dataclass(frozen=True)
class _Claim:
    """What the header Authorization says."""

    access_key: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> _Claim:
        text = sent.get("authorization", "").strip()
        if not text:
            raise refusals.missing_authentication()
        algorithm, _, rest = text.partition(" ")
        if algorithm != _ALGORITHM:
            raise refusals.incomplete_signature(f"Unsupported AWS 'algorithm': '{algorithm[:50]}'.")
        parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        missing = [
            f"Authorization header requires '{name}' parameter."
            for name in ("Credential", "Signature", "SignedHeaders")
            if not parts.get(name)
        ]
        if "x-amz-date" not in sent:
            missing.append("Authorization header requires existence of an 'X-Amz-Date' header.")
        if missing:
            raise refusals.incomplete_signature(" ".join(missing))
        return cls._scoped(parts, sent["x-amz-date"].strip())

    @classmethod
    def _scoped(cls, parts: Mapping[str, str], timestamp: str) -> _Claim:
        scope = parts["Credential"].split("/")
        if len(scope) != 5:
            raise refusals.incomplete_signature(
                "Credential must have exactly 5 slash-delimited elements, e.g. "
                "keyid/date/region/service/term."
            )
        access_key, date, region, service, end = scope
        if service != _SERVICE:
            raise refusals.invalid_signature(
                f"Credential should be scoped to correct service: '{_SERVICE}'."
            )
        if end != "aws4_request":
            raise refusals.invalid_signature(
                "Credential should be scoped with a valid terminator: 'aws4_request'."
            )
        if date != timestamp[:8]:
            raise refusals.invalid_signature(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                "from HTTP."
            )
        signed = tuple(parts["SignedHeaders"].lower().split(";"))
        unsigned = [name for name in _SIGNED_ALWAYS if name not in signed]
        if unsigned:
            raise refusals.invalid_signature(
                f"'{unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization."
            )
        return cls(access_key, region, signed, parts["Signature"], timestamp)


def _check_moment(timestamp: str, now: float) -> None:
    # The machine's time: the server's own clock may have been moved, clients' have not.
    try:
        moment = datetime.datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise refusals.incomplete_signature(
            f"Date must be in ISO-8601 'basic format'. Got '{timestamp[:50]}'."
        ) from None
    ours = datetime.datetime.fromtimestamp(now, datetime.UTC)
    allowed = datetime.timedelta(seconds=SKEW_SECONDS)
    minutes = SKEW_SECONDS // 60
    if moment < ours - allowed:
        raise refusals.invalid_signature(
            f"Signature expired: {timestamp} is now earlier than "
            f"{ours - allowed:{_TIMESTAMP}} ({ours:{_TIMESTAMP}} - {minutes} min.)"
        )
    if moment > ours + allowed:
        raise refusals.invalid_signature(
            f"Signature not yet current: {timestamp} is still later than "
            f"{ours + allowed:{_TIMESTAMP}} ({ours:{_TIMESTAMP}} + {minutes} min.)"
        )


class _Signer(botocore.auth.SigV4Auth):
    """Signs what the client signed: botocore itself would leave out User-Agent and others."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return botocore.compat.HTTPHeaders.from_dict(
            {name.lower(): value for name, value in request.headers.items()}
        )


def _signature(claim: _Claim, secret: str, sent: Mapping[str, str], body: bytes) -> str:
    """Sign a request anew, as its sender must have."""
    digest = sent.get("x-amz-content-sha256")
    if digest is not None and digest != hashlib.sha256(body).hexdigest():
        raise refusals.invalid_signature()  # botocore would take the header's word for it
    request = botocore.awsrequest.AWSRequest(
        method="POST",
        url="http://localhost/",  # all there is of it in a signature: the path
        headers={name: sent.get(name, "") for name in claim.signed_headers},
        data=body,
    )
    request.context["timestamp"] = claim.timestamp
    signer = _Signer(
        botocore.credentials.Credentials(claim.access_key, secret), _SERVICE, claim.region
    )
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))
