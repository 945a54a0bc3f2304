from __future__ import annotations

import pytest

from turkbatch.server import groups, people, store


def agreed(database: store.Store, worker_id: str) -> list[tuple[object, ...]]:
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT worker_id, version, agreed, address, browser FROM consents ORDER BY sequence"
        )
        return [tuple(row) for row in rows if row[0] == worker_id]


def test_a_new_group_asks_for_nothing_and_keeps_nothing(database: store.Store) -> None:
    made = groups.put(database, "lab")
    assert made == groups.Group("lab", made.created_at, None, False, None, 0)
    assert groups.find(database, "lab") == made
    assert groups.find(database, "other") is None
    assert groups.listed(database) == [made]


def test_what_is_not_given_stays_as_it_was(database: store.Store) -> None:
    groups.put(database, "lab", consent="I agree.", retention_days=30, records_addresses=True)
    same = groups.put(database, "lab")
    assert (same.retention_days, same.records_addresses, same.consent_version) == (30, True, 1)
    ended = groups.put(database, "lab", consent="", retention_days=0, records_addresses=False)
    assert (ended.retention_days, ended.records_addresses, ended.consent_version) == (
        None,
        False,
        None,
    )


def test_a_changed_text_is_a_new_version_and_the_same_text_none(database: store.Store) -> None:
    versions = [
        groups.put(database, "lab", consent=text).consent_version
        for text in ("One.", "One.", " One.\n", "Two.", "", "", "Two.", "One.")
    ]
    assert versions == [1, 1, 1, 2, None, None, 4, 5]
    assert groups.consent_in_force(database, "lab") == groups.Consent("lab", 5, "One.")
    assert groups.consent_of(database, "lab", 2) == groups.Consent("lab", 2, "Two.")
    assert groups.consent_of(database, "lab", 3) is None
    assert groups.consent_of(database, "lab", 9) is None


def test_a_text_is_pending_until_its_last_word_is_yes(database: store.Store) -> None:
    groups.put(database, "lab", consent="One.")
    people.add(database, "lab", ["anna", "ben"])
    pending = groups.pending_consent(database, "anna")
    assert pending == groups.Consent("lab", 1, "One.")
    groups.record(database, "anna", 1, False)
    assert groups.pending_consent(database, "anna") == pending
    groups.record(database, "anna", 1, True)
    assert groups.pending_consent(database, "anna") is None
    assert groups.pending_consent(database, "ben") == pending
    groups.put(database, "lab", consent="Two.")
    assert groups.pending_consent(database, "anna") == groups.Consent("lab", 2, "Two.")
    groups.record(database, "anna", 2, True)
    groups.record(database, "anna", 2, False)
    assert groups.pending_consent(database, "anna") == groups.Consent("lab", 2, "Two.")
    groups.put(database, "lab", consent="")
    assert groups.pending_consent(database, "anna") is None


def test_who_has_no_account_has_nothing_to_agree_to(database: store.Store) -> None:
    groups.put(database, "lab", consent="One.")
    assert groups.pending_consent(database, "A1SIMULATED") is None


def test_addresses_are_kept_only_where_the_group_says_so(database: store.Store) -> None:
    groups.put(database, "lab", consent="One.")
    people.add(database, "lab", ["anna"])
    groups.record(database, "anna", 1, True, address="192.0.2.7", browser="Firefox")
    groups.put(database, "lab", records_addresses=True)
    groups.record(database, "anna", 1, True, address="192.0.2.7", browser="Firefox")
    assert agreed(database, "anna") == [
        ("anna", 1, 1, None, None),
        ("anna", 1, 1, "192.0.2.7", "Firefox"),
    ]


def test_nobody_agrees_to_a_text_that_there_is_not(database: store.Store) -> None:
    groups.put(database, "lab", consent="One.")
    people.add(database, "lab", ["anna"])
    with pytest.raises(groups.GroupError, match="the group lab has no consent text of version 2"):
        groups.record(database, "anna", 2, True)
    with pytest.raises(groups.GroupError, match="nobody of the id ben"):
        groups.record(database, "ben", 1, True)
    assert agreed(database, "anna") == []


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        pytest.param("a b", {}, "can't name a group", id="a blank in the name"),
        pytest.param("", {}, "can't name a group", id="no name"),
        pytest.param("x" * 65, {}, "can't name a group", id="a long name"),
        pytest.param("lab", {"retention_days": -1}, "-1 days", id="a negative term"),
        pytest.param("lab", {"consent": "x" * 100_001}, "100,001 characters", id="a long text"),
        pytest.param("lab", {"consent": "a\0b"}, "NUL", id="a text that is none"),
    ],
)
def test_what_a_group_cannot_have_is_refused(
    database: store.Store, name: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(groups.GroupError, match=message):
        groups.put(database, name, **changes)  # type: ignore[arg-type]
    assert groups.listed(database) == []
