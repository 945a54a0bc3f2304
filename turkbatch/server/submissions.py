"""What platforms say about a link's submissions, taken over here, and credit asked of them.

Whoever returns a submission on the platform, or runs out of time there, gives a place back,
and the platform sends the next participant at once. So it is asked just when a place or a HIT
is missing, and not more often than every half minute; ``link sync`` asks at any time.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Final

from sqlalchemy import select

from turkbatch.server import (
    links,
    provider_calls,
    providers,
    recruiting,
    schema,
    service,
    store,
    visits,
)

_logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 30
"""How often the platform is asked while participants come (Dallinger asks as often)."""


@dataclasses.dataclass(frozen=True)
class Synced:
    """What a look at the platform brought.

    Parameters
    ----------
    submissions : tuple of links.Submission
        All that it has.
    ended : tuple of visits.Visit
        Visits whose place came back by it.
    credited : int
        Participants for whom credit was granted now.
    """

    submissions: tuple[links.Submission, ...]
    ended: tuple[visits.Visit, ...]
    credited: int


def sync(served: service.Service | store.Store, link: recruiting.Link) -> Synced:
    """Ask the platform for all submissions of a link, and take over what it says.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        With an API token, or with an address for credit.

    Returns
    -------
    Synced

    Raises
    ------
    Unreachable
        If the platform could not be asked; nothing is changed then.
    """
    found = [
        one for study in _studies(served, link) for one in provider_calls.submissions(link, study)
    ]
    normal = [_normal(link, one) for one in found]
    ended = links.reconcile(served, link, normal, proves=True)
    credited = _credit_the_rest(served, link) if link.settings.credit_url else 0
    return Synced(tuple(normal), tuple(ended), credited)


def refresh(served: service.Service | store.Store, link: recruiting.Link) -> bool:
    """Ask the platform as :func:`sync` does, unless that was done just now.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Any.

    Returns
    -------
    bool
        Whether it was asked, and answered.
    """
    if not link.settings.api_token:
        return False
    if not recruiting.note_sync(served, link, every_seconds=EVERY_SECONDS):
        return False
    try:
        sync(served, link)
    except provider_calls.Unreachable as error:
        _logger.warning("link %s: %s", link.name, error)
        return False
    return True


def refresh_if_full(served: service.Service | store.Store, link: recruiting.Link) -> None:
    """Ask the platform as :func:`refresh` does if a link has no place.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Any.
    """
    if link.places is not None and not links.has_place(served, link):
        refresh(served, link)


def ask_for_credit(
    served: service.Service | store.Store, link: recruiting.Link, visit: visits.Visit
) -> visits.Visit:
    """Have the platform credit a participant who is done, once.

    What the answer was is written down; without a good one the participant goes by the address
    that does the same from the browser.

    Parameters
    ----------
    served : Service or Store
        Where.
    link : Link
        Of the visit.
    visit : Visit
        One that is completed.

    Returns
    -------
    Visit
        With what came of it; as it was if nothing is to be asked, or it was before.
    """
    if not link.settings.credit_url or visit.credit is not None:
        return visit
    # The claim is on disk before the request: two pages at a time ask once.
    if not links.note_credit(served, visit.visit_id, "asked", before=None):
        return _again(served, visit)
    return _credit(served, link, visit)


def studies_with_token(link: recruiting.Link) -> bool:
    """Tell whether a link's platform can be asked for its submissions.

    Parameters
    ----------
    link : Link
        Any.

    Returns
    -------
    bool
        Whether it has an API and the link a token.
    """
    return bool(link.settings.api_token and link.settings.api_url)


def _credit(
    served: service.Service | store.Store, link: recruiting.Link, visit: visits.Visit
) -> visits.Visit:
    address = providers.fill(link.settings.credit_url, {"participant": visit.participant_id})
    try:
        said = provider_calls.grant_credit(address)
    except provider_calls.Unreachable as error:
        said = f"no answer: {error}"
    if said != "granted":
        _logger.warning("link %s: credit for %s: %s", link.name, visit.participant_id, said)
    links.note_credit(served, visit.visit_id, said, before="asked")
    return _again(served, visit)


def _credit_the_rest(served: service.Service | store.Store, link: recruiting.Link) -> int:
    """Ask again for those who are done and were not credited; the platform credits each once."""
    table = schema.visits
    query = table.select().where(
        table.c.link_id == link.link_id,
        table.c.state == "completed",
        table.c.credit.is_(None) | (table.c.credit != "granted"),
    )
    with service.store_of(served).read() as connection:
        waiting = [visits.from_row(row) for row in connection.execute(query)]
    granted = 0
    for one in waiting:
        if links.note_credit(served, one.visit_id, "asked", before=one.credit):
            granted += _credit(served, link, one).credit == "granted"
    return granted


def _again(served: service.Service | store.Store, visit: visits.Visit) -> visits.Visit:
    found = links.find(served, visit.visit_id)
    assert found is not None, "no visit is deleted"
    return found


def _studies(served: service.Service | store.Store, link: recruiting.Link) -> list[str]:
    """List the platform's studies that led here."""
    if not studies_with_token(link):
        return []
    if link.settings.study_id:
        return [link.settings.study_id]
    table = schema.visits
    query = (
        select(table.c.study_id)
        .where(table.c.link_id == link.link_id, table.c.study_id != "")
        .distinct()
    )
    with service.store_of(served).read() as connection:
        return sorted(connection.scalars(query))


def _normal(link: recruiting.Link, one: links.Submission) -> links.Submission:
    return dataclasses.replace(
        one,
        session_id=providers.normal(link.provider, one.session_id),
        participant_id=providers.normal(link.provider, one.participant_id),
    )
