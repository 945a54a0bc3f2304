"""The worker site over plain HTTP: what browsers send that they should not."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from turkbatch.server import app, form_pages, listings, questions, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Visit = Callable[..., tuple[int, str]]
SignIn = Callable[[str], Visit]
SCHEMA = f"{questions.SCHEMAS}2005-10-01/QuestionForm.xsd"


@pytest.fixture
def sign_in(url: str) -> SignIn:
    """Sign in as a worker; give what visits pages in that session: status and text."""

    def begin(worker_id: str) -> Visit:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(jar)

        def visit(
            path: str, fields: dict[str, str] | None = None, **headers: str
        ) -> tuple[int, str]:
            body = None if fields is None else urllib.parse.urlencode(fields).encode()
            request = urllib.request.Request(url + path, body, headers)
            try:
                with opener.open(request, timeout=10) as reply:
                    return reply.status, reply.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        assert visit("/sign-in", {"workerId": worker_id})[0] == 200
        return visit

    return begin


def test_nobody_sees_a_worker_s_pages_without_signing_in(url: str) -> None:
    with urllib.request.urlopen(f"{url}/history") as reply:
        assert urllib.parse.urlsplit(reply.url).path == "/sign-in"
        assert urllib.parse.parse_qs(urllib.parse.urlsplit(reply.url).query) == {
            "next": ["/history"]
        }


@pytest.mark.parametrize("given", ["", "worker", "A" * 70, "A1 B", "<b>"])
def test_what_is_no_worker_id_does_not_sign_in(url: str, given: str) -> None:
    body = urllib.parse.urlencode({"workerId": given}).encode()
    with pytest.raises(urllib.error.HTTPError, match="422") as caught:
        urllib.request.urlopen(f"{url}/sign-in", body)
    with caught.value as error:
        assert "is no worker id" in error.read().decode()


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_in_leads_to_this_site_alone(url: str, wanted: str) -> None:
    body = urllib.parse.urlencode({"workerId": "A1", "next": wanted}).encode()
    with urllib.request.urlopen(f"{url}/sign-in", body) as reply:
        assert reply.url.startswith(f"{url}/")


def test_a_page_of_another_site_cannot_act_for_a_worker(
    sign_in: SignIn, make_hit: Callable[..., str], served: service.Service
) -> None:
    visit, hit_id = sign_in("A1"), make_hit()
    statuses = [
        visit(f"/hits/{hit_id}/accept", {}, Origin=origin)[0]
        for origin in ("https://evil.example", "null")
    ]

    assert statuses == [403, 403]
    assert listings.history(served, "A1") == ([], None)


def test_a_signed_in_worker_cannot_submit_another_s_assignment(
    sign_in: SignIn, make_hit: Callable[..., str], served: service.Service
) -> None:
    assignment_id = worker.accept(served, make_hit(), "A2")
    visit = sign_in("A1")
    fields = {"assignmentId": assignment_id, "comment": "mine"}
    replies = [
        visit("/mturk/externalSubmit", fields),
        visit(f"/assignments/{assignment_id}/submit", fields),
        visit(f"/assignments/{assignment_id}/return", {}),
        visit(f"/assignments/{assignment_id}/go-on", {}),
        visit(f"/assignments/{assignment_id}"),
        visit(f"/assignments/{assignment_id}/state"),
    ]

    assert [status for status, _ in replies] == [400] * 6
    assert all(f"Worker A1 has no assignment {assignment_id}." in text for _, text in replies)
    assert worker.task(served, assignment_id).state == "Accepted"


def test_ten_megabytes_get_a_clear_page_and_record_nothing(
    sign_in: SignIn, make_hit: Callable[..., str], served: service.Service
) -> None:
    assignment_id = worker.accept(served, make_hit(), "A1")
    fields = {"assignmentId": assignment_id, "comment": "x" * 10_000_000}
    status, text = sign_in("A1")("/mturk/externalSubmit", fields)

    assert (status, "nothing was recorded" in text) == (413, True)
    assert worker.task(served, assignment_id).state == "Accepted"


def test_control_characters_are_replaced_in_the_answer(
    sign_in: SignIn, make_hit: Callable[..., str], inside: MTurkClient, served: service.Service
) -> None:
    assignment_id = worker.accept(served, make_hit(), "A1")
    fields = {"assignmentId": assignment_id, "comment": "a\x00b\x1bc\td"}
    assert sign_in("A1")("/mturk/externalSubmit", fields)[0] == 200

    answer = inside.get_assignment(AssignmentId=assignment_id)["Assignment"]["Answer"]
    assert "<FreeText>a&#65533;b&#65533;c\td</FreeText>" in answer


def test_titles_are_shown_as_text(sign_in: SignIn, make_hit: Callable[..., str]) -> None:
    make_hit(Title="<script>alert(1)</script>")
    text = sign_in("A1")("/hits")[1]

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("local", "/crowd-html-elements.js"),
        ("cdn", "https://assets.crowd.aws/crowd-html-elements.js"),
    ],
)
def test_crowd_elements_come_from_here_or_from_aws(
    database: store.Store, make_hit: Callable[..., str], given: Any, address: str
) -> None:
    script = "<script src='https://assets.crowd.aws/crowd-html-elements.js'></script>"
    hit_id = make_hit(page=script)
    with (
        app.running(database, crowd_elements=given) as url,
        urllib.request.urlopen(f"{url}/dynamic/hit?hitId={hit_id}") as reply,
    ):
        assert reply.read().decode() == f"<script src='{address}'></script>"


def test_odd_filters_are_no_trouble(sign_in: SignIn, make_hit: Callable[..., str]) -> None:
    make_hit()
    visit = sign_in("A1")
    odd = (
        "?search=%25_%27",
        "?reward=nan",
        "?reward=1e999",
        "?after=-3",
        "?after=99999999999999999",
    )

    assert [visit(f"/hits{query}")[0] for query in odd] == [200] * 5
    assert "Name the colour" in visit("/hits?reward=0.05&search=COLOUR")[1]
    assert "Name the colour" not in visit("/hits?reward=0.06")[1]
    assert visit("/hits/3NOSUCH")[0] == 400
    assert visit("/nowhere")[0] == 404


def test_pages_load_nothing_from_elsewhere(sign_in: SignIn, url: str) -> None:
    with urllib.request.urlopen(f"{url}/sign-in") as reply:
        policy = reply.headers["Content-Security-Policy"]
        text = reply.read().decode()

    assert policy.startswith("default-src 'self';")
    assert "http" not in text.replace(url, "")
    assert sign_in("A1")("/site/site.css")[0] == 200


def test_formatted_content_can_do_nothing_but_look_like_something() -> None:
    made = form_pages.formatted(
        '<p title="a&quot;b">x &lt; y<br/><a href="java\tscript:alert(1)">one</a>'
        '<a href="https://example.com/">two</a><img src="data:text/html,x" alt="three"/></p>'
    )

    assert made == (
        '<p title="a&quot;b">x &lt; y<br><a>one</a>'
        '<a href="https://example.com/" target="_blank" rel="noopener noreferrer">two</a>'
        '<img alt="three"></p>'
    )


def free_text(constraints: str, required: str = "false") -> list[form_pages.Block]:
    form = (
        f'<QuestionForm xmlns="{SCHEMA}"><Question><QuestionIdentifier>q</QuestionIdentifier>'
        f"<IsRequired>{required}</IsRequired><QuestionContent><Text>?</Text></QuestionContent>"
        f"<AnswerSpecification><FreeTextAnswer>{constraints}</FreeTextAnswer>"
        "</AnswerSpecification></Question></QuestionForm>"
    )
    return form_pages.read(questions.parse(form).root)


@pytest.mark.parametrize(
    ("constraints", "required", "value", "fault"),
    [
        ("", "false", "", None),
        ("", "true", " ", "An answer is needed."),
        ("", "false", "x" * 100_000, None),
        ("<Length minLength='2'/>", "false", "", "An answer is needed."),
        ("<Length maxLength='3'/>", "false", "a\r\nb", None),
        ("<Length maxLength='3'/>", "false", "abcd", "At most 3 characters fit; there are 4."),
        ("<IsNumeric/>", "false", "1e3", None),
        ("<IsNumeric/>", "false", "NaN", "A number is needed."),
        ("<IsNumeric/>", "false", "one", "A number is needed."),
        ("<IsNumeric minValue='-2'/>", "false", "-3", "A number of at least -2 is needed."),
        ("<IsNumeric maxValue='2'/>", "false", "2.5", "A number of at most 2 is needed."),
        ("<AnswerFormatRegex regex='b' flags='i'/>", "false", "aBc", None),
        ("<AnswerFormatRegex regex='^b'/>", "false", "ab", "Invalid input supplied."),
        ("<AnswerFormatRegex regex='(' errorText='No!'/>", "false", "x", None),
    ],
)
def test_texts_are_held_against_their_constraints(
    constraints: str, required: str, value: str, fault: str | None
) -> None:
    inner = f"<Constraints>{constraints}</Constraints>" if constraints else ""
    found = form_pages.faults(free_text(inner, required), [("q", value)])

    assert found == ({} if fault is None else {"q": fault})


def test_ten_thousand_hits_are_listed_to_the_last(
    make_hit: Callable[..., str], served: service.Service, database: store.Store
) -> None:
    hit_id = make_hit()
    columns = "requester, hit_type_id, annotation, created_at, expires_at,"
    columns += " max_assignments, reward_cents, fee_cents, pending, submitted, approved,"
    columns += " rejected, reviewing, held_cents, status, due_at"
    with database.write() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO hits (hit_id, {columns}) WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
            f" SELECT '3FILL' || i, {columns} FROM n, hits WHERE hit_id = '{hit_id}'"
        )
    first = listings.open_hits(served, "A1", search="colour")
    last: Any = listings.open_hits(served, "A1", after=9_990)

    assert len(first.hits) == listings.PAGE_ROWS
    assert (len(last.hits), last.after) == (10, None)
