"""The service itself: a request's headers and body in, a reply out; no transport.

:mod:`turkbatch.server.inprocess` puts it inside a boto3 client,
:mod:`turkbatch.server.app` behind a socket.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import get_args

from sqlalchemy import exc

from turkbatch.server import (
    clock,
    faults,
    ids,
    ledger,
    operations,
    protocol,
    refusals,
    sweep,
    workforce,
)
from turkbatch.server.store import Store

_logger = logging.getLogger(__name__)


class Lost(Exception):  # noqa: N818, it is asked for
    """The connection is to break instead of a reply; whether the work is done is not told."""


class Hang(Exception):  # noqa: N818, it is asked for
    """No reply is ever to come."""


class Service:
    """An MTurk on a database. Safe to use from several threads.

    Parameters
    ----------
    store : Store
        Where everything is; other services may use it at the same time.
    faults : Faults or str or iterable of str, optional
        What is to go wrong, as in :mod:`turkbatch.server.faults`.
    fees : {"mturk", "none"}
        Which fees HITs made from now on cost.
    known_workers_only : bool
        Whether operations know those workers alone who were registered or have worked here;
        otherwise any id of a worker's form is one who exists.
    foreign_types : bool
        Whether HITs may require qualification types that this server never made, if their ids
        have the service's form: published definitions name those of their authors.
    keys_demanded : bool
        Whether requests over the network must be signed with a requester's key; see
        :mod:`turkbatch.server.keys`.

    Raises
    ------
    ValueError
        If the fault plan can't be read, or there are no such fees.

    Attributes
    ----------
    store : Store
        The database.
    clock : Clock
        The server's time; can be moved.
    faults : Faults
        The plan in force, and the count of calls.
    public_url : str
        Where it is reached over HTTP, for links in replies.
    """

    def __init__(
        self,
        store: Store,
        *,
        faults: faults.Faults | str | Iterable[str] | None = None,
        fees: operations.Fees = "mturk",
        known_workers_only: bool = False,
        foreign_types: bool = False,
        keys_demanded: bool = False,
    ) -> None:
        self.store = store
        self.clock = clock.Clock(store)
        self.faults = _faults(faults)
        if fees not in get_args(operations.Fees):
            raise ValueError(f'no fees "{fees}"; there are {", ".join(get_args(operations.Fees))}')
        self.fees: operations.Fees = fees
        self.known_workers_only = known_workers_only
        self.foreign_types = foreign_types
        self.public_url = "http://127.0.0.1"
        self.keys_demanded = keys_demanded

    def handle(
        self, headers: Mapping[str, str], body: bytes, *, from_network: bool = False
    ) -> protocol.Reply:
        """Answer one request.

        Parameters
        ----------
        headers : Mapping
            Of the request; names in any case.
        body : bytes
            Of the request.
        from_network : bool
            Whether it came over the network, and its signature says who sent it. Others are
            the default requester's: who can open the database needs no key.

        Returns
        -------
        Reply
            A success, or an error in the service's form.

        Raises
        ------
        Lost, Hang
            If the fault plan says so; the transport must act accordingly.
        """
        request_id = ids.new_request_id()
        try:
            requester = self._requester(headers, body) if from_network else ledger.REQUESTER
            operation = protocol.operation_of(headers)
        except refusals.Refusal as refusal:
            return self._failure(refusal, request_id)
        fault = self.faults.befalls(operation)
        if self.faults.plan.latency:
            time.sleep(self.faults.plan.latency)  # asked for by the plan: replies that take long
        if fault in _BEFORE:
            raise _BEFORE[fault]
        reply = self._refused_by_plan(fault, request_id) or self._answer(
            operation, body, requester, request_id
        )
        if fault in _AFTER:
            raise _AFTER[fault]
        return reply

    def balance(self) -> ledger.Account:
        """Read the requester's account.

        Returns
        -------
        ledger.Account
            What is available, held, paid and gone in fees.
        """
        with sweep.reading(self.store) as (connection, _):
            return ledger.read(connection, ledger.REQUESTER)

    def set_balance(self, cents: int) -> None:
        """Deposit or withdraw so much that this is available.

        Parameters
        ----------
        cents : int
            0 or more.

        Raises
        ------
        ValueError
            If it is negative.
        """
        with sweep.writing(self.store) as (connection, now):
            ledger.set_available(connection, ledger.REQUESTER, cents, at=now)

    def _requester(self, headers: Mapping[str, str], body: bytes) -> str:
        from turkbatch.server import keys  # late: botocore's signer is slow to load

        try:
            return keys.requester_of(self.store, headers, body, demanded=self.keys_demanded)
        except exc.SQLAlchemyError:
            _logger.exception("the database failed when a key was looked up")
            raise refusals.service_fault() from None

    def _answer(
        self, operation: str, body: bytes, requester: str, request_id: str
    ) -> protocol.Reply:
        try:
            request = protocol.parse_request(operation, body, is_person=self._is_person)
            return self._carry_out(request, requester, request_id)
        except refusals.Refusal as refusal:
            return self._failure(refusal, request_id)
        except exc.SQLAlchemyError:
            # A full disk, a lock that is never freed: trouble of ours, not of the request.
            _logger.exception("the database failed in %s", operation)
            return protocol.failure(
                refusals.service_fault(), request_id=request_id, now=time.time()
            )

    def _is_person(self, worker_id: str) -> bool:
        with self.store.read() as connection:
            return workforce.is_worker(connection, worker_id)

    def _carry_out(
        self, request: protocol.Request, requester: str, request_id: str
    ) -> protocol.Reply:
        operation = operations.TABLE[request.operation]
        open_database = sweep.writing if operation.writes else sweep.reading
        with open_database(self.store) as (connection, now):
            call = operations.Call(
                connection=connection,
                now=now,
                operation=request.operation,
                parameters=request.parameters,
                requester=requester,
                request_id=request_id,
                fees=self.fees,
                listing_lag_seconds=self.faults.plan.lag,
                known_workers_only=self.known_workers_only,
                foreign_types=self.foreign_types,
                public_url=self.public_url,
            )
            output = operation.carry_out(call)
        # Behind the block: nothing is answered before it is on disk.
        return protocol.success(output, request_id=request_id, now=now)

    def _refused_by_plan(self, fault: str | None, request_id: str) -> protocol.Reply | None:
        if fault == "503":
            return protocol.Reply(503, {"Content-Length": "0"}, b"")
        refusal = _REFUSED.get(fault or "")
        return None if refusal is None else self._failure(refusal, request_id)

    def _failure(self, refusal: refusals.Refusal, request_id: str) -> protocol.Reply:
        return protocol.failure(refusal, request_id=request_id, now=self._time())

    def _time(self) -> float:
        return self.clock.now().timestamp()


_BEFORE: dict[str | None, type[Exception]] = {"reset-before": Lost, "hang-before": Hang}
_AFTER: dict[str | None, type[Exception]] = {"reset-after": Lost, "hang-after": Hang}
_REFUSED = {
    "throttle": refusals.throttled(),
    "500": refusals.service_fault(),
    "funds": refusals.insufficient_funds(),
}


def store_of(served: Service | Store) -> Store:
    """Give the database of a service, or the database itself.

    Parameters
    ----------
    served : Service or Store
        Either.

    Returns
    -------
    Store
        What to read and write.
    """
    return served.store if isinstance(served, Service) else served


def _faults(given: faults.Faults | str | Iterable[str] | None) -> faults.Faults:
    return given if isinstance(given, faults.Faults) else faults.Faults(given or ())
