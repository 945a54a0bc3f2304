from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from turkbatch.server import inprocess, service, store

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient


def test_botocore_s_own_retries_see_a_service_that_recovers(served: service.Service) -> None:
    session = botocore.session.Session()
    session.set_credentials("dummy", "dummy")
    client: Any = session.create_client(
        "mturk",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )
    inprocess.attach(client, served)
    served.faults.load("ListHITs:reset-before@1 ListHITs:throttle@2")

    reply = client.list_hits()
    assert (reply["NumResults"], reply["ResponseMetadata"]["RetryAttempts"]) == (0, 2)
    assert served.faults.calls() == {"ListHITs": 3}


def test_a_second_service_takes_the_place_of_the_first(
    inside: MTurkClient, served: service.Service, tmp_path: Path
) -> None:
    served.set_balance(5)
    with store.Store.open(tmp_path / "other.db") as other:
        inprocess.attach(inside, service.Service(other))
        assert inside.get_account_balance()["AvailableBalance"] == "10000.00"
    assert served.faults.calls() == {}


def test_a_client_that_nothing_is_attached_to_finds_no_server(url: str) -> None:
    session = botocore.session.Session()
    session.set_credentials("dummy", "dummy")
    config = Config(retries={"total_max_attempts": 1})
    client: Any = session.create_client(
        "mturk", region_name="us-east-1", endpoint_url=url, config=config
    )
    assert client.list_hits()["NumResults"] == 0
    client.close()


def test_a_lost_reply_looks_the_same_before_and_after_the_work(
    inside: MTurkClient, served: service.Service
) -> None:
    texts = []
    for kind in ("reset-before", "reset-after"):
        served.faults.load(f"*:{kind}@1")
        with pytest.raises(ConnectionClosedError, match="Connection was closed") as caught:
            inside.list_hits()
        texts.append(str(caught.value))

    assert texts[0] == texts[1]
