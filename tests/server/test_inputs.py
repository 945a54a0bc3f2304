from __future__ import annotations

import datetime
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch.server import inputs


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("text", r"[a-z ]+"),
        ("search", r"[a-z ]+"),
        ("textarea", r"([A-Z][a-z ]+\. ?)+"),
        ("number", r"[0-9]+"),
        ("range", r"[0-9]+"),
        ("email", r"[a-z.]+@example\.com"),
        ("url", r"https://www\.example\.com/[a-z]+/[a-z]+"),
        ("tel", r"555-01[0-9]{2}"),
        ("color", r"#[0-9a-f]{6}"),
        ("date", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        ("datetime-local", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}"),
        ("month", r"[0-9]{4}-[0-9]{2}"),
        ("week", r"[0-9]{4}-W[0-9]{2}"),
        ("time", r"[0-9]{2}:[0-9]{2}"),
    ],
)
def test_each_type_of_field_gets_its_kind_of_value(kind: str, form: str) -> None:
    values = [inputs.draw(inputs.Text("x", kind=kind), random.Random(n)) for n in range(30)]

    assert all(value is not None and re.fullmatch(form, value) for value in values)
    assert len(set(values)) > 5


@pytest.mark.parametrize(
    "pattern",
    [
        "[0-9]{5}",
        "^[A-Za-z]+( [A-Za-z]+)*$",
        r"\d{3}-\d{4}",
        "(yes|no)",
        "[^ ]+",
        "[A-Z]{2}[0-9]?",
        r"(?P<a>[ab])x(?P=a)",
        r"\w+@\w+\.(com|org)",
        "red|green|blue",
    ],
)
def test_a_pattern_is_met(pattern: str) -> None:
    for seed in range(20):
        value = inputs.draw(inputs.Text("x", required=True, pattern=pattern), random.Random(seed))
        assert value is not None
        assert re.fullmatch(pattern, value)


def test_a_pattern_that_nothing_meets_gives_nothing() -> None:
    text = inputs.Text("x", required=True, pattern="(?=a)b")

    assert inputs.draw(text, random.Random(1)) is None


def test_a_pattern_that_cannot_be_read_is_passed_over_as_in_a_browser() -> None:
    assert inputs.draw(inputs.Text("x", required=True, pattern="["), random.Random(1))


def test_dates_stay_within_their_bounds() -> None:
    text = inputs.Text("x", kind="date", minimum="2021-03-01", maximum="2021-03-03")
    found = {inputs.draw(text, random.Random(seed)) for seed in range(40)}

    assert found == {"2021-03-01", "2021-03-02", "2021-03-03"}
    datetime.date.fromisoformat(min(str(one) for one in found))


def test_what_the_page_suggests_is_taken() -> None:
    text = inputs.Text("x", suggestions=("one", "two"))

    assert {inputs.draw(text, random.Random(seed)) for seed in range(20)} == {"one", "two"}


@given(
    st.integers(-1000, 1000),
    st.integers(0, 500),
    st.sampled_from(["1", "0.5", "0.25", "7", None]),
    st.integers(),
)
def test_numbers_keep_to_their_bounds_and_steps(
    low: int, span: int, step: str | None, seed: int
) -> None:
    text = inputs.Text("x", kind="number", minimum=str(low), maximum=str(low + span), step=step)
    value = inputs.draw(text, random.Random(seed))

    assert value is not None
    assert low <= float(value) <= low + span
    assert (float(value) - low) % float(step or 1) == pytest.approx(0)


@given(st.integers(0, 60), st.integers(0, 60), st.booleans(), st.integers())
def test_texts_keep_to_their_lengths(low: int, more: int, long: bool, seed: int) -> None:
    text = inputs.Text(
        "x",
        kind="textarea" if long else "text",
        required=True,
        min_length=low,
        max_length=low + more or 1,
    )
    value = inputs.draw(text, random.Random(seed))

    if value is not None:
        assert low <= len(value) <= max(low + more, 1)
