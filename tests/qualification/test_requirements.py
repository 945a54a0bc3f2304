from __future__ import annotations

from collections.abc import Mapping

import pytest

from turkbatch import errors
from turkbatch.qualification import requirements


def properties(*ids: str) -> dict[str, object]:
    return {
        "Reward": "0.10",
        "QualificationRequirements": [
            {"QualificationTypeId": one, "Comparator": "Exists"} for one in ids
        ],
    }


def never() -> Mapping[str, str]:
    raise AssertionError("nobody has to be asked")


def owned() -> Mapping[str, str]:
    return {"Speaks French": "3FRENCH", "Masters": "3MINE"}


# The ids of MTurk's documentation.
@pytest.mark.parametrize(
    ("name", "live", "sandbox"),
    [
        ("@Masters", "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6"),
        ("@NumberHITsApproved", "00000000000000000040", "00000000000000000040"),
        ("@Locale", "00000000000000000071", "00000000000000000071"),
        ("@Adult", "00000000000000000060", "00000000000000000060"),
        ("@PercentAssignmentsApproved", "000000000000000000L0", "000000000000000000L0"),
        ("3OWN", "3OWN", "3OWN"),
    ],
)
def test_a_systems_name_becomes_its_id(name: str, live: str, sandbox: str) -> None:
    before = properties(name)
    assert requirements.resolve(before, sandbox=False, owned=never) == properties(live)
    assert requirements.resolve(before, sandbox=True, owned=never) == properties(sandbox)
    assert before == properties(name)


def test_a_type_of_ones_own_is_found_by_name() -> None:
    found = requirements.resolve(
        properties("@Speaks French", "@Locale", "3OWN"), sandbox=False, owned=owned
    )
    assert found == properties("3FRENCH", "00000000000000000071", "3OWN")


def test_a_systems_name_means_the_systems_whatever_ones_own_are_called() -> None:
    for names in (["@Masters"], ["@Masters", "@Speaks French"]):
        found = requirements.resolve(properties(*names), sandbox=False, owned=owned)
        expected = ["2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "3FRENCH"][: len(names)]
        assert found == properties(*expected)


def test_properties_without_requirements_stay_as_they_are() -> None:
    assert requirements.resolve({"Reward": "1"}, sandbox=False, owned=never) == {"Reward": "1"}


def test_every_unknown_name_is_said_with_those_like_it() -> None:
    asked = properties("@Master", "@Speaks Frensh", "@Zzzzz")
    with pytest.raises(errors.DefinitionError, match="@Master") as caught:
        requirements.resolve(asked, sandbox=False, owned=owned)
    assert str(caught.value).splitlines() == [
        'hittypeproperties.json: no qualification type is called "@Master"; did you mean @Masters?',
        'hittypeproperties.json: no qualification type is called "@Speaks Frensh";'
        " did you mean @Speaks French?",
        'hittypeproperties.json: no qualification type is called "@Zzzzz";'
        " name one of your own, or a system one",
    ]


def test_names_are_listed_once_and_in_order() -> None:
    given = [{"QualificationTypeId": one} for one in ("@b", "3A", "@a", "@b")]
    assert requirements.names(given) == ["@b", "@a"]
