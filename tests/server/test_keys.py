from __future__ import annotations

import datetime
import http.client
import stat
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from turkbatch.server import app, keys, origins, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk import MTurkClient

Connect = Callable[[keys.NewKey], Any]
TARGET = "MTurkRequesterServiceV20170117.ListHITs"


@pytest.fixture
def guarded(database: store.Store) -> Iterator[str]:
    """A server on a loopback address that demands keys, as it does on any other."""
    keys.add(database, "someone")
    with app.running(service.Service(database, keys_demanded=True)) as url:
        yield url


def connect(url: str, key: keys.NewKey, **changes: Any) -> MTurkClient:
    made: MTurkClient = boto3.client(
        "mturk",
        **{
            "endpoint_url": url,
            "region_name": "us-east-1",
            "aws_access_key_id": key.access_key,
            "aws_secret_access_key": key.secret,
            "config": Config(retries={"total_max_attempts": 1}),
            **changes,
        },
    )
    return made


def code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_signed_request_is_answered_from_any_region(
    database: store.Store, guarded: str, region: str
) -> None:
    client = connect(guarded, keys.add(database, "lab-a"), region_name=region)

    assert client.get_account_balance()["AvailableBalance"] == "10000.00"
    client.close()


def test_a_wrong_secret_and_an_unknown_key_are_refused(database: store.Store, guarded: str) -> None:
    key = keys.add(database, "lab-a")
    wrong = connect(guarded, keys.NewKey("lab-a", key.access_key, "x" * 40))
    with pytest.raises(ClientError, match="signature we calculated does not match") as caught:
        wrong.list_hits()
    assert code(caught) == ("InvalidSignatureException", 400)

    keys.remove(database, key.access_key)
    removed = connect(guarded, key)
    with pytest.raises(ClientError, match="security token included in the request") as caught:
        removed.list_hits()
    assert code(caught) == ("UnrecognizedClientException", 400)
    wrong.close()
    removed.close()


@pytest.fixture
def post(guarded: str, database: store.Store) -> Callable[..., tuple[int, str]]:
    """Sign a request by botocore's own signer, change it, and send it."""
    key = keys.add(database, "lab-a")
    netloc = urllib.parse.urlsplit(guarded).netloc

    def send(
        body: bytes = b"{}",
        *,
        moment: datetime.timedelta = datetime.timedelta(0),
        service_name: str = "mturk-requester",
        sent_body: bytes | None = None,
        changes: dict[str, str | None] | None = None,
    ) -> tuple[int, str]:
        request = botocore.awsrequest.AWSRequest(
            "POST", f"{guarded}/", {"X-Amz-Target": TARGET, "Host": netloc}, data=body
        )
        timestamp = f"{datetime.datetime.now(datetime.UTC) + moment:%Y%m%dT%H%M%SZ}"
        request.headers["X-Amz-Date"] = request.context["timestamp"] = timestamp
        signer = botocore.auth.SigV4Auth(
            botocore.credentials.Credentials(key.access_key, key.secret), service_name, "us-east-1"
        )
        canonical = signer.canonical_request(request)
        signature = signer.signature(signer.string_to_sign(request, canonical), request)
        signed = signer.signed_headers(signer.headers_to_sign(request))
        request.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, "
            f"Signature={signature}"
        )
        headers: dict[str, str | None] = {**dict(request.headers), **(changes or {})}
        kept = {name: value for name, value in headers.items() if value is not None}
        connection = http.client.HTTPConnection(netloc, timeout=10)
        try:
            connection.request("POST", "/", body if sent_body is None else sent_body, kept)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    return send


MINUTES = datetime.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        pytest.param({"moment": -6 * MINUTES}, "InvalidSignature", "Signature expired: ", id="old"),
        pytest.param(
            {"moment": 6 * MINUTES}, "InvalidSignature", "Signature not yet current: ", id="early"
        ),
        pytest.param(
            {"sent_body": b'{"MaxResults": 7}'}, "InvalidSignature", "not match", id="other body"
        ),
        pytest.param(
            {"changes": {"X-Amz-Content-SHA256": "0" * 64}},
            "InvalidSignature",
            "not match",
            id="wrong digest",
        ),
        pytest.param(
            {"changes": {"X-Amz-Target": TARGET.replace("ListHITs", "GetAccountBalance")}},
            "InvalidSignature",
            "not match",
            id="other operation",
        ),
        pytest.param(
            {"service_name": "s3"}, "InvalidSignature", "correct service", id="other service"
        ),
        pytest.param(
            {"changes": {"Authorization": None}},
            "MissingAuthenticationToken",
            "Missing Authentication Token",
            id="unsigned",
        ),
        pytest.param(
            {"changes": {"Authorization": "Basic eDp5"}},
            "IncompleteSignature",
            "Unsupported AWS 'algorithm': 'Basic'.",
            id="other scheme",
        ),
        pytest.param(
            {"changes": {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b"}},
            "IncompleteSignature",
            "requires 'Signature' parameter. Authorization header requires 'SignedHeaders'",
            id="half a header",
        ),
        pytest.param(
            {
                "changes": {
                    "Authorization": "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host,"
                    " Signature=\N{LATIN SMALL LETTER E WITH ACUTE}"
                }
            },
            "IncompleteSignature",
            "exactly 5 slash-delimited elements",
            id="half a scope",
        ),
        pytest.param(
            {"changes": {"X-Amz-Date": None}}, "IncompleteSignature", "'X-Amz-Date'", id="no date"
        ),
    ],
)
def test_a_request_that_is_not_what_was_signed_is_refused(
    post: Callable[..., tuple[int, str]], arguments: dict[str, Any], kind: str, message: str
) -> None:
    status, body = post(**arguments)

    assert (status, f'"__type":"{kind}' in body) == (400, True), body
    assert message in body


def test_what_was_signed_is_answered(post: Callable[..., tuple[int, str]]) -> None:
    assert post() == (200, '{"NumResults":0,"HITs":[]}')
    assert post(moment=-4 * MINUTES)[0] == 200


def test_a_signature_that_leaves_the_operation_out_is_refused(
    post: Callable[..., tuple[int, str]], database: store.Store
) -> None:
    key = keys.add(database, "lab-a").access_key
    today = f"{datetime.datetime.now(datetime.UTC):%Y%m%d}"
    scope = f"Credential={key}/{today}/us-east-1/mturk-requester/aws4_request"
    header = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=abc"

    assert "'x-amz-target' must be a 'SignedHeader'" in post(changes={"Authorization": header})[1]


def statuses(url: str, paths: list[str]) -> list[int]:
    found = []
    for path in paths:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)
        connection.request("GET", path)
        found.append(connection.getresponse().status)
        connection.close()
    return found


def test_where_keys_are_demanded_strangers_get_to_the_entrance_alone(guarded: str) -> None:
    paths = ["/turkbatch/info", "/turkbatch/faults", "/mturk/preview?hitId=3X", "/sign-in"]

    assert statuses(guarded, paths) == [403, 403, 303, 200]


def test_nobody_signs_in_where_others_could_read_the_password(database: store.Store) -> None:
    keys.add(database, "someone")
    exposure = origins.Exposure(public_url="http://work.example.org")
    with app.running(service.Service(database, keys_demanded=True), exposure=exposure) as url:
        paths = ["/turkbatch/info", "/mturk/preview?hitId=3X", "/sign-in", "/nowhere"]
        assert statuses(url, paths) == [403] * 4
        assert statuses(url, ["/turkbatch/health"]) == [200]


def test_requesters_see_and_change_only_what_is_their_own(
    database: store.Store,
    guarded: str,
    served: service.Service,
    properties: dict[str, Any],
    question: Callable[[], str],
) -> None:
    theirs, others = (connect(guarded, keys.add(database, name)) for name in ("lab-a", "lab-b"))
    hit = theirs.create_hit(**properties, LifetimeInSeconds=60, Question=question())["HIT"]
    assignment_id = worker.accept(served, hit["HITId"], "A1")
    worker.submit(served, assignment_id, "A1", [])
    mine = theirs.create_qualification_type(
        Name="careful", Description="d", QualificationTypeStatus="Active"
    )["QualificationType"]["QualificationTypeId"]
    theirs.create_worker_block(WorkerId="A9", Reason="spam")

    assert others.list_hits()["HITs"] == others.list_reviewable_hits()["HITs"] == []
    assert others.list_worker_blocks()["WorkerBlocks"] == []
    owned = others.list_qualification_types(MustBeRequestable=False, MustBeOwnedByCaller=True)[
        "QualificationTypes"
    ]
    assert owned == []
    assert others.get_account_balance()["AvailableBalance"] == "10000.00"
    hit_id = {"HITId": hit["HITId"]}
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("get_hit", hit_id),
        ("list_assignments_for_hit", hit_id),
        ("update_expiration_for_hit", hit_id | {"ExpireAt": 0}),
        ("delete_hit", hit_id),
        ("get_assignment", {"AssignmentId": assignment_id}),
        ("approve_assignment", {"AssignmentId": assignment_id}),
        ("reject_assignment", {"AssignmentId": assignment_id, "RequesterFeedback": ""}),
        (
            "send_bonus",
            {
                "AssignmentId": assignment_id,
                "WorkerId": "A1",
                "BonusAmount": "1.00",
                "Reason": "r",
            },
        ),
        (
            "create_hit_with_hit_type",
            {
                "HITTypeId": hit["HITTypeId"],
                "LifetimeInSeconds": 60,
                "Question": question(),
            },
        ),
        ("delete_qualification_type", {"QualificationTypeId": mine}),
        ("list_workers_with_qualification_type", {"QualificationTypeId": mine}),
        (
            "associate_qualification_with_worker",
            {"QualificationTypeId": mine, "WorkerId": "A1"},
        ),
    ]
    for name, parameters in attempts:
        with pytest.raises(ClientError) as caught:
            getattr(others, name)(**parameters)
        assert code(caught) == ("RequestError", 400), name
    assert theirs.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"] == (
        "Submitted"
    )
    theirs.close()
    others.close()


def test_on_loopback_made_up_credentials_are_the_default_requester_s(
    database: store.Store, url: str, make_hit: Callable[..., str]
) -> None:
    hit_id = make_hit()
    made_up = connect(url, keys.NewKey("", "test", "test"))
    own = connect(url, keys.add(database, "lab-a"))
    default = connect(url, keys.add(database, "default"))

    assert [hit["HITId"] for hit in made_up.list_hits()["HITs"]] == [hit_id]
    assert [hit["HITId"] for hit in default.list_hits()["HITs"]] == [hit_id]
    assert own.list_hits()["HITs"] == []
    for client in (made_up, own, default):
        client.close()


def test_signatures_are_dated_by_the_machine_s_clock(
    database: store.Store, guarded: str, served: service.Service
) -> None:
    client = connect(guarded, keys.add(database, "lab-a"))
    served.clock.advance(86_400)

    assert client.list_hits()["HITs"] == []
    client.close()


def test_keys_of_one_name_are_one_requester_until_removed(database: store.Store) -> None:
    first, second = keys.add(database, "lab-a"), keys.add(database, "lab-a")
    other = keys.add(database, "lab-b")

    assert len({first.access_key, second.access_key, other.access_key}) == 3
    assert {len(one.secret) for one in (first, second, other)} == {40}
    assert [key.requester for key in keys.listed(database)] == ["lab-a", "lab-a", "lab-b"]
    assert [key.access_key for key in keys.remove(database, first.access_key)] == [first.access_key]
    assert [key.access_key for key in keys.remove(database, "lab-a")] == [second.access_key]
    assert [key.access_key for key in keys.listed(database)] == [other.access_key]
    with pytest.raises(keys.KeyNameError, match='no key of "lab-a"'):
        keys.remove(database, "lab-a")
    for name in ("", "a b", "-x", "x" * 65, "lab\n"):
        with pytest.raises(keys.KeyNameError, match="can't name a requester"):
            keys.add(database, name)


def test_a_reset_keeps_keys_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "mturk.db"
    with store.Store.open(path) as opened:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        key = keys.add(opened, "lab-a")
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.glob("mturk*")}
        backup = opened.reset()
        assert [one.access_key for one in keys.listed(opened)] == [key.access_key]
    assert modes == dict.fromkeys(modes, 0o600)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
