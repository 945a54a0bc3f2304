from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import errors
from turkbatch.mturk import environments
from turkbatch.mturk.environments import LIVE, SANDBOX, Environment

DATABASE = "/home/me/server.db"
LOCAL = environments.local(DATABASE)
URL = "http://127.0.0.1:8000"
CUSTOM = Environment("custom", URL)
LIVE_URL = "https://mturk-requester.us-east-1.amazonaws.com"
SANDBOX_URL = "https://mturk-requester-sandbox.us-east-1.amazonaws.com"
OTHER_URL = "https://mturk.example.org"


def choose(
    pin: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    **flags: Any,
) -> environments.Choice:
    return environments.choose(
        pin=pin, variables=variables or {}, default_database=DATABASE, **flags
    )


def variables(url: str | None = None, name: str | None = None) -> dict[str, str]:
    given = {"AWS_ENDPOINT_URL_MTURK": url, "TURKBATCH_ENVIRONMENT": name}
    return {key: value for key, value in given.items() if value is not None}


def url_unused(place: str) -> str:
    return f"AWS_ENDPOINT_URL_MTURK is not used: this batch is pinned to {place}"


def name_unused(place: str) -> str:
    return f"TURKBATCH_ENVIRONMENT is not used: this batch is pinned to {place}"


@pytest.mark.parametrize(
    ("pin", "given", "flags", "environment", "notes"),
    [
        # Nothing but variables
        pytest.param(None, {}, {}, SANDBOX, (), id="nothing is the sandbox"),
        pytest.param(None, variables(name="local"), {}, LOCAL, (), id="local by variable"),
        pytest.param(None, variables(name="sandbox"), {}, SANDBOX, (), id="sandbox by variable"),
        pytest.param(None, variables(name=""), {}, SANDBOX, (), id="empty variables are none"),
        pytest.param(None, variables(URL), {}, CUSTOM, (), id="endpoint by variable"),
        pytest.param(None, variables(URL, "local"), {}, CUSTOM, (), id="endpoint before name"),
        pytest.param(None, variables(URL, "live"), {}, CUSTOM, (), id="endpoint, so name is idle"),
        pytest.param(None, variables(SANDBOX_URL), {}, SANDBOX, (), id="the sandbox's endpoint"),
        # Flags
        pytest.param(None, {}, {"live": True}, LIVE, (), id="live by flag"),
        pytest.param(None, {}, {"use_local": True}, LOCAL, (), id="local by flag"),
        pytest.param(None, {}, {"endpoint_url": URL}, CUSTOM, (), id="endpoint by flag"),
        pytest.param(
            None, {}, {"endpoint_url": SANDBOX_URL + "/"}, SANDBOX, (), id="sandbox by endpoint"
        ),
        pytest.param(
            None, variables(OTHER_URL, "sandbox"), {"use_local": True}, LOCAL, (),
            id="flag before variables",
        ),
        pytest.param(
            None, variables(OTHER_URL), {"endpoint_url": URL}, CUSTOM, (),
            id="endpoint flag before variable",
        ),
        pytest.param(
            None, variables(URL), {"live": True}, LIVE,
            ("--live was given: AWS_ENDPOINT_URL_MTURK is not used",),
            id="live before endpoint variable",
        ),
        # A pin
        pytest.param(SANDBOX.pin(), {}, {}, SANDBOX, (), id="pinned to the sandbox"),
        pytest.param(LOCAL.pin(), {}, {}, LOCAL, (), id="pinned to a database"),
        pytest.param(CUSTOM.pin(), {}, {}, CUSTOM, (), id="pinned to an endpoint"),
        pytest.param(LIVE.pin(), {}, {"live": True}, LIVE, (), id="pinned to live, and --live"),
        pytest.param(
            LOCAL.pin(), {}, {"use_local": True}, LOCAL, (), id="pinned to a database, and --local"
        ),
        pytest.param(
            {"environment": "local", "database": "/other.db"}, {}, {"use_local": True},
            environments.local("/other.db"), (),
            id="pinned to another database, and --local",
        ),
        pytest.param(
            CUSTOM.pin(), {}, {"endpoint_url": URL + "/"}, CUSTOM, (),
            id="pinned to an endpoint, and the same by flag",
        ),
        pytest.param(
            CUSTOM.pin(), {}, {"endpoint_url": "http://me:secret@127.0.0.1:8000"}, CUSTOM, (),
            id="pinned to an endpoint, and the same with a password by flag",
        ),
        pytest.param(
            SANDBOX.pin(), variables(URL, "local"), {}, SANDBOX, (url_unused("sandbox"),),
            id="pin before endpoint variable",
        ),
        pytest.param(
            SANDBOX.pin(), variables(name="local"), {}, SANDBOX, (name_unused("sandbox"),),
            id="pin before name variable",
        ),
        pytest.param(
            LIVE.pin(), variables(URL), {"live": True}, LIVE, (url_unused("live"),),
            id="live pin before endpoint variable",
        ),
        pytest.param(
            LOCAL.pin(), {"TURKBATCH_SERVER_DB": DATABASE}, {}, LOCAL, (),
            id="pin and database variable agree",
        ),
        pytest.param(
            {"environment": "local", "database": "/other.db"}, {"TURKBATCH_SERVER_DB": DATABASE},
            {}, environments.local("/other.db"),
            ("TURKBATCH_SERVER_DB is not used: this batch is pinned to local (/other.db)",),
            id="pin before database variable",
        ),
        pytest.param(
            SANDBOX.pin(), {"TURKBATCH_SERVER_DB": DATABASE}, {}, SANDBOX, (),
            id="a database says nothing about the sandbox",
        ),
        pytest.param(
            CUSTOM.pin(), variables(URL + "/"), {}, CUSTOM, (), id="pin and variable agree"
        ),
        pytest.param(
            SANDBOX.pin(), variables(SANDBOX_URL), {}, SANDBOX, (), id="sandbox and variable agree"
        ),
        pytest.param(
            CUSTOM.pin(), variables("http://me:secret@127.0.0.1:8000/"), {},
            Environment("custom", "http://me:secret@127.0.0.1:8000"), (),
            id="the password comes from the variable",
        ),
    ],
)  # fmt: skip
def test_where_requests_go(
    pin: Mapping[str, str] | None,
    given: dict[str, str],
    flags: dict[str, Any],
    environment: Environment,
    notes: tuple[str, ...],
) -> None:
    assert choose(pin, given, **flags) == environments.Choice(environment, notes)


LIVE_MISSING = "this goes to the live site, where real money is spent: give --live to mean it"


@pytest.mark.parametrize(
    ("pin", "given", "flags", "error", "message"),
    [
        pytest.param(
            None, {}, {"live": True, "endpoint_url": URL}, errors.RefusedError,
            "--live and --endpoint-url name different places; give one of them",
            id="live and an endpoint",
        ),
        pytest.param(
            None, {}, {"live": True, "endpoint_url": LIVE_URL}, errors.RefusedError,
            "--live and --endpoint-url name different places; give one of them",
            id="live and live's endpoint",
        ),
        pytest.param(
            None, {}, {"live": True, "use_local": True}, errors.RefusedError,
            "--live and --local name different places; give one of them",
            id="live and local",
        ),
        pytest.param(
            None, {}, {"use_local": True, "endpoint_url": URL}, errors.RefusedError,
            "--local and --endpoint-url name different places; give one of them",
            id="local and an endpoint",
        ),
        pytest.param(
            None, {}, {"endpoint_url": LIVE_URL}, errors.RefusedError, LIVE_MISSING,
            id="live's endpoint by flag",
        ),
        pytest.param(
            None, variables(LIVE_URL), {}, errors.RefusedError, LIVE_MISSING,
            id="live's endpoint by variable",
        ),
        *(
            pytest.param(
                None, variables(name=name), {}, errors.RefusedError,
                f"TURKBATCH_ENVIRONMENT={name}: it can be local or sandbox;"
                " the live site is reached by --live alone",
                id=f"{name} by variable",
            )
            for name in ("live", "LIVE", "custom", "prod")
        ),
        pytest.param(LIVE.pin(), {}, {}, errors.BatchError, LIVE_MISSING, id="pinned to live"),
        pytest.param(
            LIVE.pin(), {}, {"endpoint_url": LIVE_URL}, errors.BatchError, LIVE_MISSING,
            id="pinned to live, and its endpoint",
        ),
        pytest.param(
            {"environment": "custom", "endpoint_url": LIVE_URL}, {}, {}, errors.BatchError,
            LIVE_MISSING, id="a pin written by hand",
        ),
        *(
            pytest.param(
                pinned.pin(), {}, flags, errors.BatchError,
                f"this batch was created in {pinned.place}, and the flag asks for {asked.place};"
                " leave the flag out (or see `turkbatch repin-batch --help`"
                " if a server of your own moved)",
                id=f"pinned to {pinned.name}, and {' '.join(flags)}",
            )
            for pinned in (LIVE, SANDBOX, LOCAL, CUSTOM)
            for asked, flags in (
                (LIVE, {"live": True}),
                (LOCAL, {"use_local": True}),
                (Environment("custom", OTHER_URL), {"endpoint_url": OTHER_URL}),
            )
            if pinned.name != asked.name or pinned is CUSTOM
        ),
        pytest.param(
            {"environment": "moon"}, {}, {}, errors.BatchError,
            "batch.json: {'environment': 'moon'} is no pin that this turkbatch knows",
            id="an unknown pin",
        ),
        pytest.param(
            {"environment": "local"}, {}, {}, errors.BatchError,
            "batch.json: {'environment': 'local'} is no pin that this turkbatch knows",
            id="a pin that lacks its database",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_before_any_request(
    pin: Mapping[str, str] | None,
    given: dict[str, str],
    flags: dict[str, Any],
    error: type[errors.TurkbatchError],
    message: str,
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        choose(pin, given, **flags)


PINS = [None, LIVE.pin(), SANDBOX.pin(), LOCAL.pin(), CUSTOM.pin()]
URLS = [None, URL, OTHER_URL, LIVE_URL, SANDBOX_URL, LIVE_URL.upper(), LIVE_URL + "./"]


@given(
    st.sampled_from(PINS),
    st.sampled_from(URLS),
    st.sampled_from([None, "live", "local", "sandbox"]),
    st.booleans(),
    st.sampled_from(URLS),
)
def test_nothing_reaches_the_live_site_without_its_flag(
    pin: Mapping[str, str] | None,
    variable: str | None,
    name: str | None,
    local: bool,
    flag: str | None,
) -> None:
    given = variables(variable, name)
    try:
        chosen = choose(pin, given, use_local=local, endpoint_url=flag).environment
    except (errors.RefusedError, errors.BatchError):
        return
    assert chosen.name != "live"
    assert "mturk-requester." not in (chosen.endpoint_url or "").lower()


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        (LIVE_URL, LIVE),
        (LIVE_URL + "/", LIVE),
        (LIVE_URL + ":443", LIVE),
        (LIVE_URL + ".", LIVE),
        (LIVE_URL + "./", LIVE),
        ("http" + LIVE_URL.removeprefix("https"), LIVE),
        (LIVE_URL.upper().replace("HTTPS", "https"), LIVE),
        ("https://me@mturk-requester.us-east-1.amazonaws.com", LIVE),
        ("https://mturk-requester-fips.us-east-1.amazonaws.com", LIVE),
        ("https://mturk-requester.us-east-1.api.aws", LIVE),
        (SANDBOX_URL, SANDBOX),
        (SANDBOX_URL + "./", SANDBOX),
        ("https://mturk-requester.example.org", Environment("custom", "https://mturk-requester.example.org")),
        (URL + "//", CUSTOM),
        ("http://[::1]:80", Environment("custom", "http://[::1]:80")),
        ("https://me:secret@example.org/mturk", Environment("custom", "https://me:secret@example.org/mturk")),
    ],
)  # fmt: skip
def test_what_is_behind_a_url(url: str, environment: Environment) -> None:
    assert environments.at(url) == environment


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "127.0.0.1",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://:80",
        "http://a:0",
        "http://a:x",
        "http://a:99999",
        "http://[::1",
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    message = f"--endpoint-url {url}: not a URL of a server; give one such as http://127.0.0.1:8000"
    with pytest.raises(errors.RefusedError, match=f"^{re.escape(message)}$"):
        environments.at(url)


def test_a_url_that_is_refused_shows_no_password() -> None:
    with pytest.raises(errors.RefusedError, match=r"^--endpoint-url http://h:x: not a"):
        environments.at("http://me:secret@h:x")


@pytest.mark.parametrize(
    ("place", "without"),
    [
        ("/home/me@work/server.db", "/home/me@work/server.db"),
        ("sqlite:///server.db", "sqlite:///server.db"),
        ("sqlite:////home/me@work/server.db", "sqlite:////home/me@work/server.db"),
        ("http://127.0.0.1:8000/a@b", "http://127.0.0.1:8000/a@b"),
        ("http://me:s@cret@127.0.0.1:8000/x?y#z", "http://127.0.0.1:8000/x?y#z"),
        ("https://secret@example.org", "https://example.org"),
        ("postgresql://me:secret@db.example.org/mturk", "postgresql://db.example.org/mturk"),
        ("postgresql+psycopg://me@db:5432/mturk", "postgresql+psycopg://db:5432/mturk"),
        ("postgresql://me:s/ec?r#et:@db/mturk", "postgresql://db/mturk"),
        ("postgresql://me:sec@ret@db/mturk", "postgresql://db/mturk"),
        ("postgresql:///mturk?host=/run&user=me&password=secret", "postgresql:///mturk?host=/run"),
        ("postgresql:///mturk?user=me", "postgresql:///mturk"),
    ],
)
def test_no_user_and_no_password_is_in_a_pin(place: str, without: str) -> None:
    assert environments.without_secrets(place) == without
    assert environments.local(place).pin() == {"environment": "local", "database": without}
    assert environments.local(place).place == f"local ({without})"


# Not a letter of what surrounds them.
SECRETS = st.text("XYZ0189!$&'()*+,;=:-._~%/?# ", min_size=3).map(lambda text: f"X{text}X")


@given(SECRETS, st.sampled_from(["postgresql", "postgresql+psycopg", "mysql"]))
def test_no_password_of_a_database_is_in_its_pin(secret: str, scheme: str) -> None:
    database = f"{scheme}://user:{secret}@host:5432/name"
    environment = environments.local(database)
    assert environment.pin()["database"] == f"{scheme}://host:5432/name"
    given = {"TURKBATCH_SERVER_DB": database}
    assert environments.from_pin(environment.pin(), given) == environment
    assert environments.from_pin(environment.pin(), {}) == environments.local(
        f"{scheme}://host:5432/name"
    )


@pytest.mark.parametrize("environment", [LIVE, SANDBOX, LOCAL, CUSTOM])
def test_a_pin_names_its_environment(environment: Environment) -> None:
    assert environments.from_pin(environment.pin(), {}) == environment
    assert environment.same_place(environment.pin())


def test_a_password_comes_back_from_the_variable_of_the_same_place_alone() -> None:
    pin = {"environment": "custom", "endpoint_url": "https://example.org"}
    same = {"AWS_ENDPOINT_URL_MTURK": "https://me:secret@example.org/"}
    other = {"AWS_ENDPOINT_URL_MTURK": "https://me:secret@example.com"}
    assert environments.from_pin(pin, same).endpoint_url == "https://me:secret@example.org"
    assert environments.from_pin(pin, other).endpoint_url == "https://example.org"


@pytest.mark.parametrize(
    ("environment", "aws", "loopback"),
    [
        (LIVE, True, False),
        (SANDBOX, True, False),
        (LOCAL, False, True),
        (CUSTOM, False, True),
        (Environment("custom", "http://localhost:1"), False, True),
        (Environment("custom", "http://a.localhost"), False, True),
        (Environment("custom", "http://127.1.2.3"), False, True),
        (Environment("custom", "http://[::1]:8000"), False, True),
        (Environment("custom", "http://127.0.0.1.example.org"), False, False),
        (Environment("custom", "http://localhost.example.org"), False, False),
        (Environment("custom", "http://127.0.0.1@example.org"), False, False),
        (Environment("custom", OTHER_URL), False, False),
    ],
)
def test_who_needs_an_account(environment: Environment, aws: bool, loopback: bool) -> None:
    assert (environment.is_aws, environment.is_loopback) == (aws, loopback)
