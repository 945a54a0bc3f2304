"""The courier: delivers messages about events to queues and topics, beside the requests.

It is a thread that begins when there is something to deliver and ends when there is nothing
left. What it does not get to, because the process ends or the other side is away, stays in
the outbox: any process that uses the database goes on with it. A message is therefore
delivered at least once, as the service promises.

Queues and topics are reached through botocore, with the credentials, and the endpoints
``AWS_ENDPOINT_URL_SQS`` and ``AWS_ENDPOINT_URL_SNS``, that it finds by itself.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
import time
import weakref
from typing import Any, Final

import sqlalchemy

from turkbatch.server import schema, store

_logger = logging.getLogger(__name__)

# Nobody else takes a message up that is being delivered for so long.
_LEASE_SECONDS: Final = 60
_ATTEMPTS: Final = 8
_LONGEST_PAUSE_SECONDS: Final = 60
_REGION: Final = re.compile(r"//sqs\.([\w-]+)\.amazonaws|:sns:([\w-]+):")

_couriers: weakref.WeakKeyDictionary[store.Store, Courier] = weakref.WeakKeyDictionary()
_registering = threading.Lock()


def wake(database: store.Store) -> None:
    """Have the outbox emptied, without waiting for it.

    Parameters
    ----------
    database : Store
        Of the server.
    """
    _courier(database).wake()


def flush(database: store.Store, timeout_seconds: float = 30) -> bool:
    """Wait until everything in the outbox was tried.

    Parameters
    ----------
    database : Store
        Of the server.
    timeout_seconds : float
        For so long at most.

    Returns
    -------
    bool
        Whether the courier is done.
    """
    return _courier(database).join(timeout_seconds)


def _courier(database: store.Store) -> Courier:
    with _registering:
        return _couriers.setdefault(database, Courier(database))


def forget_clients() -> None:
    """Have credentials and endpoints looked up anew, after the environment changed."""
    _client.cache_clear()


class Courier:
    """Delivers the messages of one database.

    Parameters
    ----------
    database : Store
        Whose outbox it empties.
    """

    def __init__(self, database: store.Store) -> None:
        # Weakly, since the courier is found by the store for as long as that is used.
        self._database = weakref.ref(database)
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Go to work, unless at it."""
        with self._lock:
            self._news.set()
            # Threads don't live on in a process that was forked off.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, daemon=True, name="courier")
                self._thread.start()

    def join(self, timeout_seconds: float) -> bool:
        """Wait until there is nothing left to do.

        Parameters
        ----------
        timeout_seconds : float
            For so long at most.

        Returns
        -------
        bool
            Whether it is done.
        """
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)
        return thread is None or not thread.is_alive()

    def _work(self) -> None:
        while True:
            self._news.clear()
            pause = self._deliver_all()
            if pause is not None:
                self._news.wait(pause)
                continue
            with self._lock:
                if not self._news.is_set():
                    self._thread = None
                    return

    def _deliver_all(self) -> float | None:
        """Deliver what is due; give the seconds until something is again, or None."""
        database = self._database()
        if database is None:
            return None
        try:
            while deliver_next(database):
                pass
            return _pause(database)
        except Exception:
            # Its database may have been closed and deleted. What waits there stays there.
            _logger.debug("the outbox can't be read", exc_info=True)
            return None


def deliver_next(database: store.Store) -> bool:
    """Deliver one message that is due.

    Parameters
    ----------
    database : Store
        Of the server.

    Returns
    -------
    bool
        False if there was none.
    """
    table = schema.notifications
    with database.write() as connection:
        row = connection.execute(_NEXT, {"now": int(time.time())}).one_or_none()
        if row is None:
            return False
        own = table.update().where(table.c.sequence == row.sequence)
        lease = int(time.time()) + _LEASE_SECONDS
        connection.execute(own.values(next_attempt_at=lease, attempts=row.attempts + 1))
    outcome = _outcome(row, _error_of_delivery(row.transport, row.destination, row.body))
    with database.write() as connection:
        connection.execute(own.values(**outcome))
    return True


def _outcome(row: sqlalchemy.Row[Any], error: str | None) -> dict[str, Any]:
    if error is None:
        return {"state": "delivered", "next_attempt_at": None, "error": None}
    _logger.warning("a notification to %s was not delivered: %s", row.destination, error)
    attempts = row.attempts + 1
    if attempts >= _ATTEMPTS:
        return {"state": "failed", "next_attempt_at": None, "error": error}
    pause = min(2**attempts, _LONGEST_PAUSE_SECONDS)
    return {"next_attempt_at": int(time.time()) + pause, "error": error}


def _error_of_delivery(transport: str, destination: str, body: str) -> str | None:
    match = _REGION.search(destination)
    region = next(filter(None, match.groups()), "") if match else "us-east-1"
    try:
        if transport == "SQS":
            _client("sqs", region).send_message(QueueUrl=destination, MessageBody=body)
        else:
            _client("sns", region).publish(TopicArn=destination, Message=body)
    except Exception as error:  # whatever the network, the credentials or the other side say
        return f"{type(error).__name__}: {error}"
    return None


def _pause(database: store.Store) -> float | None:
    table = schema.notifications
    with database.read() as connection:
        moment = connection.scalar(sqlalchemy.select(sqlalchemy.func.min(table.c.next_attempt_at)))
    return None if moment is None else max(0.05, moment - time.time())


@functools.lru_cache(maxsize=8)
def _client(service: str, region: str) -> Any:  # noqa: ANN401, botocore makes client classes at run time
    import botocore.config  # late: it is slow to load, and few servers send anything
    import botocore.session

    config = botocore.config.Config(
        connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1, "mode": "standard"}
    )
    session = botocore.session.get_session()
    return session.create_client(service, region_name=region, config=config)


_NEXT = (
    schema.notifications.select()
    .where(schema.notifications.c.next_attempt_at <= sqlalchemy.bindparam("now"))
    .order_by(schema.notifications.c.sequence)
    .limit(1)
)
