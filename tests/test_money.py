from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch import money
from turkbatch.qualification import requirements

MASTERS = "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH"
MASTERS_IN_SANDBOX = "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6"
OWN = "3" + "A" * 29
PREMIUM = "2" + "B" * 29

REWARDS = st.integers(0, 100_000).map(lambda cents: Decimal(cents) / 100)


@pytest.mark.parametrize(
    ("reward", "assignments", "masters", "fee"),
    [
        pytest.param("0.05", 9, False, "0.01", id="the reference's nine assignments"),
        pytest.param("0.05", 10, False, "0.02", id="the reference's ten assignments"),
        pytest.param("0.01", 1, False, "0.01", id="minimum doubles the smallest reward"),
        pytest.param("0.00", 1, False, "0.01", id="minimum without a reward"),
        pytest.param("0.00", 10, True, "0.01", id="minimum without a reward, all surcharges"),
        pytest.param("0.07", 1, False, "0.01", id="1.4 cents are rounded down"),
        pytest.param("0.08", 1, False, "0.02", id="1.6 cents are rounded up"),
        pytest.param("0.10", 1, True, "0.03", id="2.5 cents are rounded half up, to odd"),
        pytest.param("0.30", 1, True, "0.08", id="7.5 cents are rounded half up, to even"),
        pytest.param("0.50", 1, True, "0.13", id="12.5 cents are rounded half up"),
        pytest.param("1.00", 1, False, "0.20", id="20 percent"),
        pytest.param("1.00", 9, False, "0.20", id="nine assignments are few"),
        pytest.param("1.00", 10, False, "0.40", id="ten assignments cost double fee"),
        pytest.param("1.00", 1_000_000_000, False, "0.40", id="a billion assignments as ten"),
        pytest.param("1.00", 1, True, "0.25", id="Masters add 5 percent"),
        pytest.param("1.00", 10, True, "0.45", id="ten assignments by Masters"),
        pytest.param("0.03", 10, True, "0.01", id="parts are added, then rounded"),
        pytest.param("0.02", 10, True, "0.01", id="0.9 cents are the minimum"),
        pytest.param("1234.56", 1, False, "246.91", id="a large reward"),
    ],
)
def test_fee_follows_the_pricing_page(
    reward: str, assignments: int, masters: bool, fee: str
) -> None:
    found = money.fee(Decimal(reward), assignments=assignments, masters=masters)
    assert (type(found), str(found)) == (Decimal, fee)


@given(REWARDS, st.integers(1, 30), st.booleans())
def test_fee_is_whole_cents_within_half_a_cent_of_the_rate(
    reward: Decimal, assignments: int, masters: bool
) -> None:
    percent = (40 if assignments >= 10 else 20) + (5 if masters else 0)
    found = money.fee(reward, assignments=assignments, masters=masters)
    exact = reward * percent / 100
    assert found == round(found, 2)
    assert found == Decimal("0.01") or -Decimal("0.005") < found - exact <= Decimal("0.005")
    assert found >= Decimal("0.01")


@given(REWARDS, st.integers(1, 30), st.integers(0, 100_000), st.booleans())
def test_total_is_the_sum_of_what_each_assignment_costs(
    reward: Decimal, assignments: int, hits: int, masters: bool
) -> None:
    properties = {
        "Reward": str(reward),
        "QualificationRequirements": [{"QualificationTypeId": MASTERS}] if masters else [],
    }
    found = money.cost(properties, {"MaxAssignments": assignments}, hits=hits)
    fee = money.fee(reward, assignments=assignments, masters=masters)
    assert found == money.Cost(hits, assignments, reward, fee)
    assert found.assignments == hits * assignments
    assert found.total == found.rewards + found.fees == sum([reward + fee] * assignments) * hits
    assert found.exact
    for value in (found.reward, found.fee, found.rewards, found.fees, found.total):
        assert type(value) is Decimal


def test_cost_of_the_references_example() -> None:
    assert [
        money.cost({"Reward": "0.05"}, {"MaxAssignments": count}, hits=1).total for count in (9, 10)
    ] == [Decimal("0.54"), Decimal("0.70")]


def test_one_assignment_is_the_default() -> None:
    assert money.cost({"Reward": "0.5"}, {}, hits=3) == money.Cost(
        3, 1, Decimal("0.5"), Decimal("0.10")
    )


@pytest.mark.parametrize(
    ("ids", "fee", "uncertain"),
    [
        pytest.param([], "0.20", (), id="none"),
        pytest.param([MASTERS], "0.25", (), id="Masters"),
        pytest.param([MASTERS_IN_SANDBOX], "0.25", (), id="Masters of the sandbox"),
        pytest.param(["@Masters"], "0.25", (), id="Masters by name"),
        pytest.param([MASTERS, "@Masters"], "0.25", (), id="Masters twice cost once"),
        *(
            pytest.param([type_id], "0.20", (), id=f"free {name}")
            for name, type_id in requirements.SYSTEM.items()
            if name != "@Masters"
        ),
        *(
            pytest.param([name], "0.20", (), id=f"free {name} by name")
            for name in requirements.SYSTEM
            if name != "@Masters"
        ),
        pytest.param([OWN], "0.20", (), id="a type of one's own"),
        pytest.param(["@My own type"], "0.20", (), id="a type of one's own by name"),
        pytest.param([PREMIUM], "0.20", (PREMIUM,), id="a premium type"),
        pytest.param(["00000000000000000099"], "0.20", ("00000000000000000099",), id="unknown"),
        pytest.param(
            [PREMIUM, OWN, "1", PREMIUM, MASTERS], "0.25", ("1", PREMIUM), id="several, each once"
        ),
    ],
)
def test_qualifications_add_to_the_fee_or_make_it_uncertain(
    ids: list[str], fee: str, uncertain: tuple[str, ...]
) -> None:
    properties = {
        "Reward": "1.00",
        "QualificationRequirements": [{"QualificationTypeId": one} for one in ids],
    }
    found = money.cost(properties, {}, hits=2)
    assert found == money.Cost(2, 1, Decimal("1.00"), Decimal(fee), uncertain)
    assert found.exact == (not uncertain)


@pytest.mark.parametrize("text", ["0", "1", "1.", "0.5", "0.05", "00.10", "1234567.89"])
def test_amounts_that_mturk_takes(text: str) -> None:
    assert money.amount(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".5",
        "0.123",
        "1.0.0",
        "-1",
        "+1",
        "$1",
        "1,000",
        "1_0",
        "1e2",
        "NaN",
        "٣",
        " 1",
        "1\n",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    message = f"^{re.escape(repr(text))} is no amount in dollars such as 0.25$"
    with pytest.raises(ValueError, match=message):
        money.amount(text)


@given(
    st.from_regex(r"\A[0-9]+(\.)?[0-9]{0,2}\Z") | st.text("0123456789.+-e $\n٣", max_size=8),
)
def test_amounts_are_exactly_those_of_mturks_pattern(text: str) -> None:
    # Unicode has digits of its own, which MTurk's pattern does not mean.
    matches = re.fullmatch(r"[0-9]+(\.)?[0-9]{0,2}", text) is not None
    try:
        found: Decimal | None = money.amount(text)
    except ValueError:
        found = None
    assert found == (Decimal(text) if matches else None)


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "$0.00"), ("0.5", "$0.50"), ("1234.5", "$1,234.50"), ("1234567", "$1,234,567.00")],
)
def test_dollars_are_shown_with_two_decimals(value: str, text: str) -> None:
    assert money.dollars(Decimal(value)) == text
