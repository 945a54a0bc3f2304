"""The example's qualification test, taken by a worker on the worker site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import SignedIn
from turkbatch import actions

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

DEFINITION = Path(__file__).resolve().parents[2] / "examples" / "qualification-test" / "definition"
NAME = "English and French sentences (example)"


def test_the_example_s_test_is_taken_and_graded_on_the_site(
    signed_in: SignedIn, mturk: str, client: MTurkClient, tmp_path: Path
) -> None:
    actions.create_qualification_type(client, DEFINITION, tmp_path)
    tab = signed_in("ABILINGUAL")
    tab.goto(f"{mturk}/qualifications")
    tab.get_by_role("button", name=f"Take the test of {NAME}").click()
    for question, answer in {"pair_0": "3", "pair_1": "2", "pair_2": "4", "pair_3": "2"}.items():
        tab.locator(f'input[name="{question}"][value="{answer}"]').check()
    tab.get_by_role("button", name="Submit").click()
    tab.get_by_text("The qualification was granted. Its value is 3.").wait_for()
