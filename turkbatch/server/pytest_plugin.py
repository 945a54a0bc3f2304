"""Fixtures for the tests of any program that uses MTurk: no account, no network, no mock.

pytest finds them by itself once turkbatch is installed::

    def test_my_program(mturk_server, mturk_client):
        my_program.publish(boto3.client("mturk"))   # goes to the server, too
        mturk_server.work(workers=3)                # simulated workers fill in the forms
        mturk_server.clock.advance(3600)            # an hour later
        mturk_server.faults.load("ListHITs:throttle@1")
        assert my_program.results(mturk_client) == ...

===================  ====================================================================
``mturk_server``     a server of its own for each test; see :class:`MTurkServer`. While it
                     runs, the environment leads every client that names no endpoint to it
``mturk_client``     a plain boto3 client of it
===================  ====================================================================
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from turkbatch.server import clock, crowd, faults, service

# Nothing else is imported here: pytest loads this module for every test run on the machine.


@dataclasses.dataclass(frozen=True)
class MTurkServer:
    """An MTurk on the loopback address, for one test.

    Parameters
    ----------
    url : str
        For ``endpoint_url``; workers' pages are there, too.
    service : service.Service
        What answers; its balance can be set.
    """

    url: str
    service: service.Service

    @property
    def faults(self) -> faults.Faults:
        """What is to go wrong: ``faults.load("CreateHIT:500@2")``; and the count of calls."""
        return self.service.faults

    @property
    def clock(self) -> clock.Clock:
        """Its time: ``clock.advance(86_400)`` lets a day pass, with all that falls due."""
        return self.service.clock

    def work(
        self,
        hit_ids: Sequence[str] | None = None,
        *,
        workers: int = 10,
        assignments: int | None = None,
        seed: int = 0,
    ) -> crowd.WorkReport:
        """Have simulated workers fill in the forms of HITs.

        Parameters
        ----------
        hit_ids : sequence of str, optional
            Which HITs; all that are open, if not given.
        workers : int
            How many there are. Each does a HIT once.
        assignments : int, optional
            How many assignments of each HIT to do; all, if not given.
        seed : int
            The same one gives the same answers to the same questions.

        Returns
        -------
        crowd.WorkReport
            What was done.
        """
        from turkbatch.server import crowd

        return crowd.work(
            self.service, hit_ids=hit_ids, workers=workers, assignments=assignments, seed=seed
        )


@pytest.fixture
def mturk_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MTurkServer]:
    """Serve an MTurk over HTTP; boto3 clients that name no endpoint find it, too."""
    from turkbatch.server import app, service, store

    with store.Store.open(tmp_path / "mturk-server.db") as opened:
        served = service.Service(opened)
        with app.running(served) as url:
            for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("AWS_ENDPOINT_URL_MTURK", url)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            yield MTurkServer(url, served)


@pytest.fixture
def mturk_client(mturk_server: MTurkServer) -> Iterator[Any]:
    """Make a boto3 client of ``mturk_server``, as any program would."""
    import boto3

    client: Any = boto3.client(
        "mturk",
        endpoint_url=mturk_server.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()
