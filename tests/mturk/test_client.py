from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import boto3
import botocore
import botocore.exceptions
import pytest
from botocore.utils import parse_timestamp

from tests.conftest import plain_client
from turkbatch import __version__, errors
from turkbatch.mturk import client as clients
from turkbatch.mturk import environments
from turkbatch.mturk.environments import LIVE, SANDBOX

LOCAL = environments.local("server.db")
QUESTION = """\
<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/\
HTMLQuestion.xsd"><HTMLContent><![CDATA[<p>?</p>]]></HTMLContent><FrameHeight>0</FrameHeight>\
</HTMLQuestion>"""
PROFILE = "[nobody]\naws_access_key_id = AKIA\naws_secret_access_key = secret\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def aws(tmp_path: Path) -> Path:
    """The folder of AWS's configuration files."""
    return tmp_path / "home" / ".aws"


def test_a_client_sends_once_and_waits_so_long() -> None:
    made = clients.create(LOCAL, timeout_seconds=3)
    config: Any = made.meta.config
    assert (
        made.meta.endpoint_url,
        made.meta.region_name,
        config.retries,
        config.connect_timeout,
        config.read_timeout,
        config.max_pool_connections,
        config.proxies,
    ) == (
        clients.EMBEDDED_URL,
        "us-east-1",
        {"total_max_attempts": 1, "mode": "standard"},
        10,
        3,
        32,
        {},
    )


def test_a_client_knows_its_environment(mturk: str) -> None:
    environment = environments.at(mturk)
    assert clients.environment_of(clients.create(environment)) is environment
    assert clients.environment_of(clients.create(LOCAL)) is LOCAL
    assert clients.environment_of(plain_client(mturk)) == environment


def test_a_client_made_elsewhere_for_aws_is_known_as_such() -> None:
    made = plain_client("https://mturk-requester.us-east-1.amazonaws.com")
    assert clients.environment_of(made) is LIVE


@pytest.mark.parametrize("environment", [LIVE, SANDBOX])
def test_without_credentials_aws_is_refused_and_every_way_on_named(
    environment: environments.Environment,
) -> None:
    with pytest.raises(errors.CredentialsError, match="no AWS credentials were found") as caught:
        clients.create(environment)
    assert str(caught.value) == (
        f"no AWS credentials were found, which {environment.name} needs: set AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY (see .envrc.example), or give --profile NAME."
        f" {environments.WAYS_ON}"
    )


def test_a_server_elsewhere_needs_credentials_and_speaks_of_no_aws() -> None:
    environment = environments.at("https://mturk.example.org")
    with pytest.raises(errors.CredentialsError, match=r"give --profile NAME$"):
        clients.create(environment)


@pytest.mark.parametrize(
    ("variables", "files", "profile", "found"),
    [
        pytest.param({}, {}, "nobody", r"profile \(nobody\) could not be found", id="no profile"),
        pytest.param(
            {"AWS_PROFILE": "nobody"}, {}, None, r"profile \(nobody\)", id="profile by variable"
        ),
        pytest.param(
            {"AWS_ACCESS_KEY_ID": "AKIA"}, {}, None, "missing: AWS_SECRET_ACCESS_KEY", id="half"
        ),
        pytest.param({}, {"config": "broken"}, None, "Unable to parse config file", id="broken"),
        pytest.param(
            {},
            {"credentials": "[nobody]\naws_access_key_id = AKIA\n"},
            "nobody",
            "missing: aws_secret_access_key",
            id="half in a file",
        ),
    ],
)
def test_credentials_of_no_use_say_why(
    monkeypatch: pytest.MonkeyPatch,
    aws: Path,
    variables: dict[str, str],
    files: dict[str, str],
    profile: str | None,
    found: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name, text in files.items():
        write(aws / name, text)
    message = f"^sandbox needs AWS credentials, and those found can't be used: .*{found}.*--local"
    with pytest.raises(errors.CredentialsError, match=message):
        clients.create(SANDBOX, profile=profile)


def test_a_profile_gives_credentials_and_nothing_else(aws: Path) -> None:
    write(aws / "credentials", PROFILE)
    write(
        aws / "config", "[profile nobody]\nendpoint_url = https://example.org\nregion = eu-west-1\n"
    )
    made = clients.create(SANDBOX, profile="nobody")
    assert (made.meta.endpoint_url, made.meta.region_name) == (SANDBOX.endpoint_url, "us-east-1")


@pytest.mark.parametrize(
    ("variables", "files"),
    [
        pytest.param({"AWS_PROFILE": "nobody"}, {}, id="a profile that is not there"),
        pytest.param({"AWS_ACCESS_KEY_ID": "AKIA"}, {}, id="half of a key"),
        pytest.param({}, {"config": "broken", "credentials": "too"}, id="broken files"),
        pytest.param({"AWS_USE_FIPS_ENDPOINT": "true"}, {}, id="FIPS"),
        pytest.param({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, {}, id="dual stack"),
        pytest.param(
            {"AWS_ENDPOINT_URL": "https://example.org"}, {}, id="endpoint of all services"
        ),
        pytest.param({"HTTP_PROXY": "http://example.org"}, {}, id="a proxy"),
    ],
)
def test_a_server_on_this_machine_works_whatever_is_set_for_aws(
    monkeypatch: pytest.MonkeyPatch,
    aws: Path,
    mturk: str,
    variables: dict[str, str],
    files: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name, text in files.items():
        write(aws / name, text)
    made = clients.create(environments.at(mturk))
    assert made.get_account_balance()["AvailableBalance"] == "10000.00"


def test_no_key_of_the_users_is_sent_to_this_machine(
    monkeypatch: pytest.MonkeyPatch, mturk: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEUSER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    sent: list[str] = []
    made = clients.create(environments.at(mturk))
    made.meta.events.register(
        "before-send.mturk.*", lambda request, **_: sent.append(str(request.headers))
    )
    made.get_account_balance()
    assert "local/" in sent[0]
    assert "AKIAOFTHEUSER" not in sent[0]


def test_every_request_says_who_sends_it(mturk: str) -> None:
    sent: list[Any] = []
    made = clients.create(environments.at(mturk))
    made.meta.events.register(
        "before-send.mturk.*", lambda request, **_: sent.append(request.headers["User-Agent"])
    )
    made.get_account_balance()
    assert sent == [
        f"turkbatch/{__version__} Boto3/{boto3.__version__}"
        f" Python/{platform.python_version()} Botocore/{botocore.__version__}".encode()
    ]


@pytest.fixture
def _far_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "America/Los_Angeles")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_west")
def test_times_come_in_utc_and_are_the_moments_that_boto3_gives(mturk: str) -> None:
    plain = plain_client(mturk)
    hit_id = plain.create_hit(
        MaxAssignments=1,
        LifetimeInSeconds=600,
        AssignmentDurationInSeconds=60,
        Reward="0.10",
        Title="T",
        Description="D",
        Question=QUESTION,
    )["HIT"]["HITId"]
    theirs = plain.get_hit(HITId=hit_id)["HIT"]
    ours = clients.create(environments.at(mturk)).get_hit(HITId=hit_id)["HIT"]
    assert ours == theirs
    assert ours["CreationTime"].tzinfo is UTC
    assert theirs["CreationTime"].tzinfo is not UTC


@pytest.mark.parametrize(
    "value", [1.782909015e9, 1782909015, "1782909015", "2026-07-01T12:30:15Z", 0, -1e9]
)
def test_a_time_of_any_form_is_read_as_botocore_does(value: Any) -> None:
    assert clients._moment(value) == parse_timestamp(value)


def test_a_url_that_boto3_refuses_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    message = r"^custom \(http://my_server\): boto3 can't send to this URL .*; give one such as"
    with pytest.raises(errors.RefusedError, match=message):
        clients.create(environments.at("http://my_server"))


def test_the_client_raises_botocores_own_errors(mturk: str) -> None:
    made = clients.create(environments.at(mturk))
    with pytest.raises(botocore.exceptions.ClientError, match="Hit 3NONE does not exist"):
        made.get_hit(HITId="3NONE")
