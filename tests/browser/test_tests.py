"""Qualification tests on the worker site, beyond their choices and texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import SignedIn
from tests.browser.test_site import SCHEMAS
from turkbatch.server import service, uploads

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

TEST = f"""<QuestionForm xmlns="{SCHEMAS}2005-10-01/QuestionForm.xsd">
<Question><QuestionIdentifier>paper</QuestionIdentifier><DisplayName>A paper</DisplayName>
<IsRequired>true</IsRequired><QuestionContent><Text>Hand in what you wrote.</Text></QuestionContent>
<AnswerSpecification><FileUploadAnswer><MaxFileSizeInBytes>100</MaxFileSizeInBytes>
<MinFileSizeInBytes>2</MinFileSizeInBytes></FileUploadAnswer></AnswerSpecification></Question>
</QuestionForm>"""


def test_a_file_that_a_test_asks_for_is_kept(
    signed_in: SignedIn, mturk: str, client: MTurkClient, served: service.Service, tmp_path: Path
) -> None:
    client.create_qualification_type(
        Name="Writing",
        Description="Write well.",
        QualificationTypeStatus="Active",
        Test=TEST,
        TestDurationInSeconds=60,
    )
    file = tmp_path / "paper.txt"
    file.write_text("x")
    tab = signed_in("AWRITER")
    tab.goto(f"{mturk}/qualifications")
    tab.get_by_role("button", name="Take the test of Writing").click()
    tab.get_by_label("A paper").set_input_files(file)
    tab.get_by_role("button", name="Submit").click()
    tab.get_by_text("The file must have 2 to 100 bytes; it has 1.").wait_for()
    file.write_text("my paper")
    tab.get_by_label("A paper").set_input_files(file)
    tab.get_by_role("button", name="Submit").click()
    tab.get_by_text("The qualification was asked for; its requester decides.").wait_for()

    [request] = client.list_qualification_requests()["QualificationRequests"]
    with served.store.read() as connection:
        [kept] = uploads.of_assignment(connection, request["QualificationRequestId"])
    assert (kept.question_identifier, kept.name, kept.content) == (
        "paper",
        "paper.txt",
        b"my paper",
    )
    assert f"<UploadedFileKey>{kept.key}</UploadedFileKey>" in request["Answer"]
