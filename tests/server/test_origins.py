"""Under which addresses the server answers, and where its task pages are."""

from __future__ import annotations

from typing import Any

import pytest

from turkbatch.server import origins


def on_loopback(bound: str = "127.0.0.1") -> origins.Origins:
    return origins.Origins(
        f"http://{bound}:8765", guarded=False, bound=bound, port=8765, tasks_port=8766
    )


BEHIND_PROXY = origins.Origins(
    "https://work.example.org",
    guarded=True,
    bound="127.0.0.1",
    port=8765,
    tasks_port=8766,
    tasks_url="https://tasks.example.net",
)


@pytest.mark.parametrize(
    ("bound", "site", "tasks"),
    [
        ("127.0.0.1", "http://127.0.0.1:8765", "http://localhost:8766"),
        ("127.0.0.1", "http://localhost:8765", "http://127.0.0.1:8766"),
        ("::1", "http://[::1]:8765", "http://localhost:8766"),
        ("::1", "http://localhost:8765", "http://[::1]:8766"),
    ],
)
def test_on_loopback_the_site_and_its_task_pages_have_each_a_name(
    bound: str, site: str, tasks: str
) -> None:
    where = on_loopback(bound)

    assert where.of_tasks(site) == tasks
    assert where.of_site(tasks) == site


@pytest.mark.parametrize(
    ("bound", "site"),
    [
        pytest.param("127.0.0.1", "http://work.localhost:8765", id="a third name"),
        pytest.param("127.0.0.2", "http://127.0.0.2:8765", id="localhost leads elsewhere"),
    ],
)
def test_where_there_is_no_other_name_task_pages_have_none(bound: str, site: str) -> None:
    assert on_loopback(bound).of_tasks(site) == ""


def test_behind_a_proxy_task_pages_are_where_it_was_told() -> None:
    assert BEHIND_PROXY.of_tasks("https://work.example.org/") == "https://tasks.example.net"
    assert BEHIND_PROXY.of_site("https://tasks.example.net/") == "https://work.example.org"
    # The right door by another name: cookies set there would be the site's.
    assert BEHIND_PROXY.of_site("https://work.example.org/") == ""
    assert BEHIND_PROXY.of_site("http://127.0.0.1:8766/") == ""


def test_the_site_s_origin_is_the_one_that_browsers_see() -> None:
    """The proxy asks by HTTP, and may not say that it was asked by HTTPS."""
    assert BEHIND_PROXY.own("http://work.example.org/") == "https://work.example.org"
    assert BEHIND_PROXY.own("http://127.0.0.1:8765/") == "http://127.0.0.1:8765"
    assert on_loopback().own("http://localhost:8765/") == "http://localhost:8765"


@pytest.mark.parametrize(
    ("where", "at_task_door", "names"),
    [
        (on_loopback(), False, ["127.0.0.1:8765", "localhost", "LOCALHOST.", "[::1]:1"]),
        (on_loopback(), True, ["127.0.0.1:8766", "localhost:8766"]),
        (BEHIND_PROXY, False, ["work.example.org", "Work.Example.ORG:443", "127.0.0.1:8765"]),
        (BEHIND_PROXY, True, ["tasks.example.net", "127.0.0.1:8766"]),
    ],
)
def test_each_door_is_open_under_its_names(
    where: origins.Origins, at_task_door: bool, names: list[str]
) -> None:
    known = [name for name in names if where.knows(name, at_task_door=at_task_door)]

    assert known == names
    foreign = ["", "[x", "evil.example", "work.example.org.evil.example", "0.0.0.0"]
    foreign += [] if where.guarded else ["work.example.org"]
    foreign += ["tasks.example.net"] if not at_task_door else []
    foreign += ["work.example.org"] if at_task_door else []
    assert not any(where.knows(name, at_task_door=at_task_door) for name in foreign)


@pytest.mark.parametrize(
    ("guarded", "public_url", "has_people"),
    [
        (False, "http://127.0.0.1:8765", True),
        (True, "http://127.0.0.1:8765", True),
        (True, "https://work.example.org", True),
        (True, "http://work.example.org", False),
        (True, "http://192.0.2.7:8765", False),
    ],
)
def test_passwords_do_not_go_over_the_net_in_the_clear(
    guarded: bool, public_url: str, has_people: bool
) -> None:
    where = origins.Origins(public_url, guarded=guarded, bound="127.0.0.1", port=8765)

    assert where.has_people == has_people


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Work.Example.org/", "https://work.example.org"),
        ("HTTPS://work.example.org:443", "https://work.example.org"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_addresses_are_written_as_browsers_write_an_origin(given: str, origin: str) -> None:
    assert origins.checked(given, "--public-url") == origin


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"public_url": "work.example.org"}, '--public-url: "work.example.org" is no address'),
        ({"public_url": "ftp://work.example.org"}, "is no address of a server"),
        ({"public_url": "https://"}, "is no address of a server"),
        ({"public_url": "https://x:99999"}, "is no address: Port out of range"),
        ({"public_url": "https://example.org/mturk"}, "has more than a host"),
        ({"public_url": "https://me@example.org"}, "has more than a host"),
        ({"tasks_url": "https://tasks.example.net"}, "needs --public-url"),
        (
            {"public_url": "https://example.org", "tasks_url": "https://EXAMPLE.org:8443"},
            "example.org is the site's own host",
        ),
        (
            {"public_url": "https://example.org", "tasks_url": "http://example.net"},
            "is not HTTPS, and browsers load no such frame",
        ),
        ({"trusted_proxy": "proxy.example.org"}, "is no numeric address"),
        ({"trusted_proxy": "10.0.0.0/8"}, "is no numeric address"),
    ],
)
def test_what_can_not_be_is_refused(changes: dict[str, Any], reason: str) -> None:
    given: dict[str, Any] = {
        "public_url": None,
        "tasks_url": None,
        "tasks_port": None,
        "trusted_proxy": None,
        "sign_ins_per_minute": 1,
    }
    with pytest.raises(ValueError, match=reason):
        origins.exposure(**given | changes)
