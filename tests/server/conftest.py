"""A server on a database of its own, and boto3 clients that reach it.

The database is an SQLite file, or one on the PostgreSQL server whose URL is in
``TURKBATCH_TEST_POSTGRESQL``; ``.ci/with-postgresql`` starts one and sets it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from turkbatch.server import app, inprocess, service, store

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Refused = Callable[..., tuple[str, str | None, str]]

_SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
_PAGE = """<!DOCTYPE html><html><body><form name='mturk_form' method='post' id='mturk_form'>
<input type='hidden' value='' name='assignmentId' id='assignmentId'/>
<textarea name='comment' required></textarea>
<input type='submit' id='submitButton' value='Submit'/></form></body></html>"""


@functools.cache
def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.set_credentials("dummy", "dummy")
    return session


def _client(url: str) -> Any:
    return _session().create_client(
        "mturk",
        region_name="us-east-1",
        endpoint_url=url,
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=1),
    )


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_MTURK", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def database_name(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def database(database_name: str) -> Iterator[store.Store]:
    with store.Store.open(database_name) as opened:
        yield opened


@pytest.fixture
def served(database: store.Store) -> service.Service:
    return service.Service(database)


@pytest.fixture
def url(served: service.Service) -> Iterator[str]:
    with app.running(served) as address:
        yield address


@pytest.fixture
def inside(served: service.Service) -> MTurkClient:
    client: MTurkClient = _client("http://127.0.0.1:9")
    inprocess.attach(client, served)
    return client


@pytest.fixture
def outside(url: str) -> Iterator[MTurkClient]:
    client: MTurkClient = _client(url)
    yield client
    client.close()


@pytest.fixture(params=["inside", "outside"])
def client(request: pytest.FixtureRequest) -> MTurkClient:
    chosen: MTurkClient = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def question() -> Callable[[str], str]:
    def make(page: str = _PAGE) -> str:
        return (
            f'<HTMLQuestion xmlns="{_SCHEMAS}2011-11-11/HTMLQuestion.xsd">'
            f"<HTMLContent><![CDATA[{page}]]></HTMLContent>"
            "<FrameHeight>0</FrameHeight></HTMLQuestion>"
        )

    return make


@pytest.fixture
def properties() -> dict[str, Any]:
    """What CreateHITType needs, and nothing else."""
    return {
        "Title": "Name the colour",
        "Description": "Look at a picture and name its colour.",
        "Reward": "0.05",
        "AssignmentDurationInSeconds": 600,
    }


@pytest.fixture
def make_hit(
    inside: MTurkClient, properties: dict[str, Any], question: Callable[..., str]
) -> Callable[..., str]:
    """Make a HIT that lasts an hour, with changes; give its id."""

    def make(*, reward: str = "0.05", page: str | None = None, **changes: Any) -> str:
        hit_type = inside.create_hit_type(
            **properties
            | {"Reward": reward}
            | {
                name: changes.pop(name)
                for name in ("AutoApprovalDelayInSeconds", "Title")
                if name in changes
            }
        )
        xml = question() if page is None else question(page)
        hit = inside.create_hit_with_hit_type(
            **{
                "HITTypeId": hit_type["HITTypeId"],
                "LifetimeInSeconds": 3600,
                "Question": xml,
                **changes,
            }
        )
        return hit["HIT"]["HITId"]

    return make


@pytest.fixture
def refused() -> Refused:
    """Call something that the service refuses; give code, TurkErrorCode and message."""

    def call(operation: Callable[..., object], **parameters: object) -> tuple[Any, Any, str]:
        with pytest.raises(ClientError, match=r" \([0-9]{13}\)$") as caught:
            operation(**parameters)
        response: Any = caught.value.response
        message = re.sub(r" \([0-9]{13}\)$", "", response["Error"]["Message"])
        return response["Error"]["Code"], response.get("TurkErrorCode"), message

    return call
