"""Files that workers hand in with a QuestionForm's FileUploadAnswer.

They belong to an assignment, or to the request that a qualification test is part of; ids of
both are alike, and none is there twice. A requester fetches an assignment's by a link that is
good for a minute (GetFileUploadURL); the server over HTTP answers it. Files of an assignment
end with their HIT.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_GetFileUploadURLOperation.html.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy
from sqlalchemy import select

from turkbatch.server import ids, schema, store, sweep

Given = Mapping[str, tuple[str, bytes]]
"""Files as they are handed in: by QuestionIdentifier, name and content."""
LINK_SECONDS: Final = 60
"""How long a link is good for (API model, GetFileUploadURL)."""


@dataclasses.dataclass(frozen=True)
class File:
    """A file as it was handed in.

    Parameters
    ----------
    question_identifier : str
        Which question it answers.
    key : str
        UploadedFileKey.
    name : str
        As it was called on the worker's machine.
    content : bytes
        What it holds.
    """

    question_identifier: str
    key: str
    name: str
    content: bytes


def add(
    connection: sqlalchemy.Connection,
    assignment_id: str,
    question_identifier: str,
    name: str,
    content: bytes,
) -> str:
    """Store a file, in place of one that answered the same question before.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    assignment_id, question_identifier : str
        What it belongs to; in a qualification test, the id of its request.
    name : str
        As it is called.
    content : bytes
        What it holds.

    Returns
    -------
    str
        Its key.
    """
    table, key = schema.uploads, ids.new_entity_id()
    connection.execute(
        table.delete().where(
            table.c.assignment_id == assignment_id,
            table.c.question_identifier == question_identifier,
        )
    )
    values = {"assignment_id": assignment_id, "question_identifier": question_identifier}
    values |= {"file_key": key, "file_name": name}
    connection.execute(table.insert(), {**values, "content": content})
    return key


def of_assignment(connection: sqlalchemy.Connection, assignment_id: str) -> list[File]:
    """List an assignment's files, or a qualification test's.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    assignment_id : str
        The assignment, or the request.

    Returns
    -------
    list of File
        In the order of uploading.
    """
    table = schema.uploads
    query = table.select().where(table.c.assignment_id == assignment_id)
    return [_file(row) for row in connection.execute(query.order_by(table.c.sequence))]


def owners(worker_id: str) -> sqlalchemy.CompoundSelect[tuple[str]]:
    """Select what a worker's files belong to.

    Parameters
    ----------
    worker_id : str
        Who handed them in.

    Returns
    -------
    sqlalchemy.CompoundSelect
        Ids of their assignments, and of their requests for qualifications.
    """
    work, asked = schema.assignments, schema.qualification_requests
    return sqlalchemy.union_all(
        select(work.c.assignment_id).where(work.c.worker_id == worker_id),
        select(asked.c.request_id).where(asked.c.worker_id == worker_id),
    )


def new_link(connection: sqlalchemy.Connection, now: int, key: str) -> str:
    """Make a link's token.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a writing transaction.
    now : int
        Seconds since 1970.
    key : str
        The file's.

    Returns
    -------
    str
        Which nobody can guess.
    """
    links, token = schema.file_links, secrets.token_urlsafe(24)
    connection.execute(links.delete().where(links.c.expires_at <= now))
    values = {"token": token, "file_key": key, "expires_at": now + LINK_SECONDS}
    connection.execute(links.insert(), values)
    return token


def behind_link(database: store.Store, token: str) -> File | None:
    """Fetch a file by its link.

    Parameters
    ----------
    database : Store
        Of the server.
    token : str
        From :func:`new_link`.

    Returns
    -------
    File or None
        None if the link is no more.
    """
    links, files = schema.file_links, schema.uploads
    assignments, hits = schema.assignments, schema.hits
    with sweep.reading(database) as (connection, now):
        row = connection.execute(
            select(files)
            .join(links, links.c.file_key == files.c.file_key)
            .join(assignments, assignments.c.assignment_id == files.c.assignment_id)
            .join(hits, hits.c.hit_id == assignments.c.hit_id)
            .where(links.c.token == token, links.c.expires_at > now, hits.c.deleted_at.is_(None))
        ).one_or_none()
        return None if row is None else _file(row)


def _file(row: sqlalchemy.Row[Any]) -> File:
    return File(row.question_identifier, row.file_key, row.file_name, bytes(row.content))
