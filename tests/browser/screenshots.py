"""Take the README's pictures: ``python -m tests.browser.screenshots DIR``."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from tests.reviews import Running
from turkbatch import actions
from turkbatch.batch import directory
from turkbatch.server import app, service, store, worker

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient
    from playwright.sync_api import Browser, Page

_SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
_SCRIPT = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'
_SENTENCES = f"""<!DOCTYPE html><html lang="en"><title>Sentences</title>{_SCRIPT}
<crowd-form answer-format="flatten-objects"><crowd-classifier name="relation"
header="How do the two sentences relate?"
categories="['completely unrelated', 'a few words in common', 'mostly the same meaning',
'exact same meaning']"><classification-target><p><b>English</b> The girl remained missing.</p>
<p><b>French</b> La fille est restée introuvable.</p></classification-target>
<full-instructions header="How to compare"><p>Read both twice.</p></full-instructions>
<short-instructions>Rate how close the meanings are.</short-instructions>
</crowd-classifier></crowd-form></html>"""
_FORM = f"""<QuestionForm xmlns="{_SCHEMAS}2005-10-01/QuestionForm.xsd">
<Overview><Text>Three questions about what you read.</Text></Overview>
<Question><QuestionIdentifier>often</QuestionIdentifier><DisplayName>How often</DisplayName>
<IsRequired>true</IsRequired><QuestionContent><Text>How often do you read novels?</Text>
</QuestionContent><AnswerSpecification><SelectionAnswer>
<StyleSuggestion>radiobutton</StyleSuggestion><Selections>
<Selection><SelectionIdentifier>d</SelectionIdentifier><Text>Daily</Text></Selection>
<Selection><SelectionIdentifier>w</SelectionIdentifier><Text>Weekly</Text></Selection>
</Selections></SelectionAnswer></AnswerSpecification></Question>
<Question><QuestionIdentifier>last</QuestionIdentifier><DisplayName>The last one</DisplayName>
<QuestionContent><Text>Which did you like best, and why?</Text></QuestionContent>
<AnswerSpecification><FreeTextAnswer><NumberOfLinesSuggestion>3</NumberOfLinesSuggestion>
</FreeTextAnswer></AnswerSpecification></Question></QuestionForm>"""
_SIZE: Any = {"width": 1100, "height": 720}


def main(arguments: Sequence[str] | None = None) -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("docs/images"))
    pictures: Path = parser.parse_args(arguments).directory
    pictures.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        store.Store.open(Path(folder) / "server.db") as opened,
        app.running(service.Service(opened)) as url,
    ):
        _publish(url)
        batch = _worked(url, opened, Path(folder))
        _photograph(url, pictures)
        _photograph_review(url, batch, pictures)


def _client(url: str) -> MTurkClient:
    return boto3.client(
        "mturk",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )


def _publish(url: str) -> None:
    client = _client(url)
    html = (
        f'<HTMLQuestion xmlns="{_SCHEMAS}2011-11-11/HTMLQuestion.xsd">'
        f"<HTMLContent><![CDATA[{_SENTENCES}]]></HTMLContent><FrameHeight>0</FrameHeight>"
        "</HTMLQuestion>"
    )
    common: dict[str, Any] = {"AssignmentDurationInSeconds": 1800, "LifetimeInSeconds": 604_800}
    for title, description, reward, question in (
        ("Compare two sentences", "Read an English and a French sentence.", "0.12", html),
        ("What do you read?", "A short survey about novels.", "0.80", _FORM),
        ("Compare two longer texts", "As the sentences, with paragraphs.", "0.35", html),
    ):
        client.create_hit(
            Title=title, Description=description, Reward=reward, Question=question, **common
        )
    client.close()


def _worked(url: str, opened: store.Store, folder: Path) -> Path:
    """Publish a batch, and have three workers answer it."""
    definition = folder / "definition"
    definition.mkdir()
    properties = {
        "Title": "Compare two sentences",
        "Description": "Read an English and a French sentence.",
        "Reward": "0.12",
        "AssignmentDurationInSeconds": 1800,
    }
    (definition / "hittypeproperties.json").write_text(json.dumps(properties))
    (definition / "hitproperties.json").write_text(
        '{"MaxAssignments": 3, "LifetimeInSeconds": 604800}'
    )
    (definition / "question.html.j2").write_text(_SENTENCES, encoding="utf-8")
    (folder / "data.jsonl").write_text('{"pair": "missing"}\n')
    client = _client(url)
    made = actions.create_batch(
        client, definition, folder / "data.jsonl", folder, batch_id="pairs"
    ).batch_dir
    (hit_id,) = directory.open_batch(made).hit_ids()
    for worker_id, label in (
        ("A1READER", "mostly the same meaning"),
        ("A2READER", "completely unrelated"),
        ("A3READER", "mostly the same meaning"),
    ):
        assignment_id = worker.accept(opened, hit_id, worker_id, seconds_ago=95)
        worker.submit(opened, assignment_id, worker_id, [("relation.label", label)])
    client.close()
    return made


def _photograph_review(url: str, batch: Path, pictures: Path) -> None:
    from playwright import sync_api

    client = _client(url)
    running = Running(client, batch)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_context(viewport=_SIZE).new_page()
        tab.goto(running.url)
        tab.get_by_role("link", name="Begin with the first open one").click()
        tab.locator("iframe[data-filled]").wait_for()
        tab.screenshot(path=pictures / "review.png")
        browser.close()
    running.end()
    client.close()


def _photograph(url: str, pictures: Path) -> None:
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = _signed_in(browser, url, "A1READER", viewport=_SIZE)
        tab.screenshot(path=pictures / "hits.png")
        tab.get_by_role("button", name="Accept Compare two sentences").click()
        task = tab.frame_locator("iframe.task")
        task.get_by_label("mostly the same meaning").check()
        tab.screenshot(path=pictures / "assignment.png")
        phone: Any = {"width": 390, "height": 780}
        small = _signed_in(browser, url, "A2READER", viewport=phone, color_scheme="dark")
        small.get_by_role("button", name="Accept What do you read?").click()
        small.get_by_label("Weekly").check()
        small.screenshot(path=pictures / "form-dark-phone.png")
        browser.close()


def _signed_in(browser: Browser, url: str, worker_id: str, **context: Any) -> Page:
    tab = browser.new_context(**context).new_page()
    tab.goto(f"{url}/sign-in")
    tab.get_by_label("Worker id").fill(worker_id)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/hits")
    return tab


if __name__ == "__main__":
    main()
