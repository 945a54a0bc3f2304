"""The fixtures, used as a stranger would: in a project of its own that only installed us."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

HEAVY = ("boto3", "botocore", "flask", "lxml", "sqlalchemy", "waitress", "werkzeug")

PROJECT = '''
import boto3
import pytest

QUESTION = """<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/\
AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[
<form><input type="text" name="colour" required><input type="submit"></form>
]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"""


def publish(client):
    return client.create_hit(
        Title="Name the colour",
        Description="One word.",
        Reward="0.10",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        AutoApprovalDelayInSeconds=86_400,
        MaxAssignments=2,
        Question=QUESTION,
    )["HIT"]["HITId"]


def statuses(client, hit_id):
    found = client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    return [one["AssignmentStatus"] for one in found]


def test_a_life(mturk_server, mturk_client):
    hit_id = publish(boto3.client("mturk"))
    report = mturk_server.work([hit_id], workers=5)
    assert report.assignments == 2
    assert statuses(mturk_client, hit_id) == ["Submitted", "Submitted"]
    mturk_server.clock.advance(86_400)
    assert statuses(mturk_client, hit_id) == ["Approved", "Approved"]
    assert mturk_server.service.balance().paid_cents == 20


def test_a_fault(mturk_server, mturk_client):
    mturk_server.faults.load("GetAccountBalance:throttle@1")
    assert mturk_client.get_account_balance()["AvailableBalance"] == "10000.00"
    assert mturk_server.faults.calls() == {"GetAccountBalance": 2}


def test_a_server_is_new_for_each_test(mturk_client):
    assert mturk_client.list_hits()["NumResults"] == 0
'''


def test_a_strangers_tests_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PROJECT)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error")

    done.assert_outcomes(passed=3)


def test_the_fixtures_are_listed_with_what_they_give(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest_subprocess("--fixtures")

    shown.stdout.fnmatch_lines(
        ["mturk_client*", "*boto3 client of*", "mturk_server*", "*Serve an MTurk over HTTP*"]
    )


def test_who_does_not_use_them_pays_nothing() -> None:
    code = (
        "import sys, turkbatch.server.pytest_plugin;"
        f" print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"
