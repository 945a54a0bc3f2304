"""Layouts: pages with ``${name}`` placeholders, from which HITs are made.

On MTurk every project of the requester website has one. Here :func:`add` makes them, since
no operation of the API does. Values are put in as they are, as the website does with the
cells of a table; the merged page becomes the HIT's HTMLQuestion.

Source: https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/
ApiReference_HITLayoutArticle.html.
"""

from __future__ import annotations

import re
from typing import Final

import sqlalchemy

from turkbatch.server import documents, ids, ledger, protocol, refusals, schema, store, sweep

_PLACEHOLDER: Final = re.compile(r"\$\{([^${}]+)\}")


def add(
    database: store.Store,
    page: str,
    *,
    frame_height: int = 0,
    requester: str = ledger.REQUESTER,
) -> str:
    """Store a layout.

    Parameters
    ----------
    database : Store
        Of the server.
    page : str
        HTML with its own form; ``${name}`` stands for a value.
    frame_height : int
        In pixels; 0 fills the window.
    requester : str
        Whose it is.

    Returns
    -------
    str
        Its id, for HITLayoutId.
    """
    layout_id = ids.new_entity_id()
    with sweep.writing(database) as (connection, now):
        connection.execute(
            schema.layouts.insert(),
            {
                "layout_id": layout_id,
                "requester": requester,
                "page": page,
                "frame_height": frame_height,
                "created_at": now,
            },
        )
    return layout_id


def question(
    connection: sqlalchemy.Connection, requester: str, parameters: protocol.Parameters
) -> str:
    """Make a question from a layout.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    requester : str
        Whose layout it must be.
    parameters : Mapping
        With HITLayoutId, and HITLayoutParameters if it has placeholders.

    Returns
    -------
    str
        HTMLQuestion XML.

    Raises
    ------
    Refusal
        HITLayoutDoesNotExist; ParameterValidationError for placeholders without value, and
        for names that are not in the layout or stand twice (text unconfirmed).
    """
    table = schema.layouts
    layout_id = parameters["HITLayoutId"]
    found = connection.execute(
        table.select().where(table.c.layout_id == layout_id, table.c.requester == requester)
    ).one_or_none()
    if found is None:
        raise refusals.layout_does_not_exist(layout_id)
    values = _values(parameters)
    names = list(dict.fromkeys(_PLACEHOLDER.findall(found.page)))
    missing = [name for name in names if name not in values]
    if missing:
        raise refusals.missing_layout_parameters(missing)
    for name in values:
        if name not in names:
            raise refusals.invalid_value("HITLayoutParameter", name)
    page = _PLACEHOLDER.sub(lambda match: values[match.group(1)], found.page)
    content = page.replace("]]>", "]]]]><![CDATA[>")
    return (
        f'<HTMLQuestion xmlns="{documents.SCHEMAS}2011-11-11/HTMLQuestion.xsd">'
        f"<HTMLContent><![CDATA[{content}]]></HTMLContent>"
        f"<FrameHeight>{found.frame_height}</FrameHeight></HTMLQuestion>"
    )


def _values(parameters: protocol.Parameters) -> dict[str, str]:
    values: dict[str, str] = {}
    for one in parameters.get("HITLayoutParameters", []):
        if one["Name"] in values:
            raise refusals.invalid_value("HITLayoutParameter", one["Name"])
        values[one["Name"]] = one["Value"]
    return values
