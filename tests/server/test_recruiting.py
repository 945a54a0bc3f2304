"""Recruiting links as they are kept, and what is particular to each platform."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy

from turkbatch.server import providers, recruiting, schema, store

PROLIFIC, CONNECT, SONA, GENERIC = (
    providers.BY_NAME[name] for name in ("prolific", "connect", "sona", "generic")
)


@pytest.mark.parametrize(
    ("provider", "given", "is_real"),
    [
        (PROLIFIC, "60d9aadeb86739de712faee0", True),
        (PROLIFIC, "60D9AADEB86739DE712FAEE0", True),
        (PROLIFIC, "60d9aadeb86739de712faee", False),
        (PROLIFIC, "60d9aadeb86739de712faee0\n", False),
        (PROLIFIC, "{{%PROLIFIC_PID%}}", False),
        (CONNECT, "F00DF00DF00DF00DF00DF00DF00DF00D", True),
        (SONA, "4711", True),
        (SONA, "%SURVEY_CODE%", False),
        (GENERIC, "anna.b-7_x", True),
        (GENERIC, "-anna", False),
        (GENERIC, "anna b", False),
        (GENERIC, "x" * 65, False),
        (GENERIC, "ａnna", False),
    ],
)
def test_an_id_is_told_from_what_a_preview_leaves(
    provider: providers.Provider, given: str, is_real: bool
) -> None:
    assert providers.looks_real(provider, given) is is_real


@pytest.mark.parametrize(
    ("provider", "form"),
    [(PROLIFIC, r"C[A-HJ-NP-Z2-9]{8}"), (CONNECT, r"[0-9A-F]{10}"), (GENERIC, r"C[A-Z0-9]{8}")],
)
def test_codes_have_the_platform_s_form_and_are_never_alike(
    provider: providers.Provider, form: str
) -> None:
    made = {providers.new_code(provider) for _ in range(200)}
    assert len(made) == 200
    assert [one for one in made if not re.fullmatch(form, one)] == []


@pytest.mark.parametrize("page", ["webstudy_credit.aspx", "services/SonaAPI.svc/WebstudyCredit"])
def test_both_addresses_of_sona_follow_from_either(page: str) -> None:
    given = f"https://school.example/{page}?experiment_id=12&credit_token=ab%26c&survey_code=XXXX"
    rest = "experiment_id=12&credit_token=ab%26c&survey_code={participant}"
    assert providers.credit_urls(given) == (
        f"https://school.example/services/SonaAPI.svc/WebstudyCredit?{rest}",
        f"https://school.example/webstudy_credit.aspx?{rest}",
    )


@pytest.mark.parametrize("value", ["a&b=c", "../x", "{code}", "%7B", "ü", "a b"])
def test_what_is_filled_into_an_address_stays_one_value(value: str) -> None:
    import urllib.parse

    filled = providers.fill(
        "https://x.example/done?u={participant}&c={code}",
        {
            "participant": value,
            "code": "C1",
        },
    )
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(filled).query)
    assert query == {"u": [value], "c": ["C1"]}


@pytest.fixture
def make_link(database: store.Store, make_hit: Callable[..., str]) -> Callable[..., Any]:
    def make(provider: str = "prolific", name: str = "study", **settings: Any) -> recruiting.Link:
        work = [recruiting.Work("hit", make_hit())]
        made = recruiting.settings_for(provider, **settings)
        return recruiting.add(database, name, provider, made, work=work)

    return make


def test_a_link_is_read_as_it_was_made(
    database: store.Store, make_link: Callable[..., Any]
) -> None:
    link = make_link(keep=("wave", "arm"), verify="api", api_token="t0", codes={"full": "FULL"})
    assert recruiting.find(database, "study") == link
    assert recruiting.find(database, link.link_id) == link
    assert recruiting.listed(database) == [link]
    assert link.settings.keep == ("wave", "arm")
    assert link.settings.codes["full"] == "FULL"


def test_a_token_is_in_no_text_of_a_link(make_link: Callable[..., Any]) -> None:
    link = make_link(verify="api", api_token="t0psecret")
    assert "t0psecret" not in repr(link)
    assert "t0psecret" not in str(
        dataclasses.astuple(
            dataclasses.replace(link, settings=dataclasses.replace(link.settings, api_token=None))
        )
    )


@pytest.mark.parametrize(
    ("outcome", "ends"),
    [
        ("completed", "cc=DONE"),
        ("full", "cc=FULL"),
        ("left", ""),
        ("late", ""),
        ("repeated", ""),
        ("returned", ""),
    ],
)
def test_nobody_goes_back_by_the_code_of_another_outcome(
    make_link: Callable[..., Any], outcome: str, ends: str
) -> None:
    link = make_link(codes={"completed": "DONE", "full": "FULL"})
    back = recruiting.return_address(
        link, outcome, participant="p", study="s", session="x", kept={}
    )
    assert back == (f"https://app.prolific.com/submissions/complete?{ends}" if ends else "")


def test_an_address_without_a_code_is_for_those_who_are_done_alone(
    make_link: Callable[..., Any],
) -> None:
    link = make_link("generic", return_url="https://x.example/{participant}", codes={})
    link = dataclasses.replace(link, settings=dataclasses.replace(link.settings, codes={}))
    backs = [
        recruiting.return_address(link, one, participant="p", study="", session="", kept={})
        for one in ("completed", "screened_out", "full", "left")
    ]
    assert backs == ["https://x.example/p", "", "", ""]


def test_only_one_looks_at_the_platform_at_a_time(
    database: store.Store, make_link: Callable[..., Any]
) -> None:
    link = make_link()
    claims = [recruiting.note_sync(database, link, every_seconds=30) for _ in range(3)]
    assert claims == [True, False, False]
    with database.write() as connection:
        earlier = schema.links.c.synced_at - 30
        connection.execute(sqlalchemy.update(schema.links).values(synced_at=earlier))
    assert recruiting.note_sync(database, link, every_seconds=30)
