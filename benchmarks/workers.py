"""Granting a qualification under a limit of requests, and writing to many workers."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.server import Server
from turkbatch import actions, errors
from turkbatch.actions import notify

LIMIT = 20
"""Requests a second that the server lets through."""
CHUNK = 100
"""Workers that one NotifyWorkers can name."""


def measure(server: Server, folder: Path, *, associated: int, notified: int) -> Iterator[Figure]:
    """Grant to many workers under the limit, and count the requests of a long message."""
    client = server.ours()
    made = client.create_qualification_type(
        Name="Bench", Description="A pool.", QualificationTypeStatus="Active"
    )
    type_id = made["QualificationType"]["QualificationTypeId"]
    server.plan(f"rate={LIMIT}")
    begun = time.perf_counter()
    done = actions.associate_workers(client, _ids(associated), type_id)
    seconds = time.perf_counter() - begun
    server.plan("")
    rate = (associated - LIMIT) / seconds  # a second's worth is let through at once
    detail = f"{rate:.1f}/s, {len(done.done)} of {associated:,} granted"
    yield Figure(f"associate under {LIMIT}/s", 0.9, rate / LIMIT, detail=detail)

    os.environ["XDG_DATA_HOME"] = str(folder)  # where it is written down whom a message reached
    server.count_anew()
    with contextlib.suppress(errors.PartialError):  # nobody of them has worked here
        actions.notify_workers(client, _ids(notified), notify.Message("News", "Thank you."))
    sent = server.calls()["NotifyWorkers"]
    work = f"requests to notify {notified:,}"
    yield Figure(work, notified / CHUNK, sent, "at most", unit="")


def _ids(count: int) -> list[str]:
    return [f"A{number:013d}" for number in range(count)]
