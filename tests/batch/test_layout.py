from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turkbatch.batch import layout

NONCE = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32


@given(st.from_regex(layout.BATCH_ID, fullmatch=True), st.integers(0, 10**9))
def test_a_row_is_told_by_its_annotation(batch_id: str, row: int) -> None:
    text = layout.annotation(batch_id, NONCE, row)
    assert layout.row_of(text, NONCE) == row
    assert layout.row_of(text, OTHER) is None
    assert len(text) <= 255
    assert len(layout.token(NONCE, row)) <= 64


@pytest.mark.parametrize(
    ("text", "row"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("batch=1", None, id="amti's"),
        pytest.param(f"turkbatch={NONCE}:12", 12, id="ours"),
        pytest.param(f"mine turkbatch={NONCE}:12 too", 12, id="among the user's"),
        pytest.param(f"turkbatch={OTHER}:3 batch=1 turkbatch={NONCE}:4", 4, id="another's before"),
        pytest.param(f"turkbatch={NONCE}", None, id="no row"),
        pytest.param(f"turkbatch={NONCE[:-1]}:1", None, id="short nonce"),
        pytest.param(f"turkbatch={NONCE.upper()}:1", None, id="another nonce"),
    ],
)
def test_whose_a_hit_is(text: str, row: int | None) -> None:
    assert layout.row_of(text, NONCE) == row


def test_tokens_are_of_the_nonce_and_the_row_alone() -> None:
    assert layout.token(NONCE, 7) == f"{NONCE}-7"
    assert len({layout.token(nonce, row) for nonce in (NONCE, OTHER) for row in range(100)}) == 200
