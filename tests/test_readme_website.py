"""The page for people who come from the requester website: its files and commands, run as typed.

The README holds the same text.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SECTION = r"""
## Coming from the requester website

A project of the website is a directory here. Its layout and its CSV run as they are: nothing in
them has to be changed, and the results come back in the columns that your scripts know. To begin
without a project of your own, `turkbatch new-definition --list` describes templates for the usual
tasks, and `turkbatch new-definition utterance-collection DIR` writes one.

The layout is `question.html`, with `${name}` where the column `name` of the CSV goes. In
`project/definition/question.html`:

```html
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form answer-format="flatten-objects">
  <crowd-instructions link-text="View instructions" link-type="button">
    <short-summary><p>You talk to a voice assistant. What do you say?</p></short-summary>
    <detailed-instructions><p>One sentence, in your own words.</p></detailed-instructions>
  </crowd-instructions>
  <p><strong>Context: </strong>${context}</p>
  <p><strong>Intent: </strong>${intent}</p>
  <crowd-input name="utterance" placeholder="Type what you would say" required></crowd-input>
</crowd-form>
```

What the website asks for under "Enter properties" and "Setting up your task" is in two files:

| on the website | in | as |
| --- | --- | --- |
| Title, Description, Keywords | `hittypeproperties.json` | `Title`, `Description`, `Keywords` |
| Reward per assignment | `hittypeproperties.json` | `Reward`, a string in dollars |
| Time allotted per assignment | `hittypeproperties.json` | `AssignmentDurationInSeconds` |
| Auto-approve and pay workers in | `hittypeproperties.json` | `AutoApprovalDelayInSeconds` |
| Worker requirements | `hittypeproperties.json` | `QualificationRequirements` |
| Number of assignments per task | `hitproperties.json` | `MaxAssignments`; ten double the fee |
| Task expires in | `hitproperties.json` | `LifetimeInSeconds` |

In `project/definition/hittypeproperties.json`:

```json
{
  "Title": "Say it in your own words (1 sentence)",
  "Description": "Read a short situation and write what you would say in it.",
  "Keywords": "writing, utterance, dialogue, language",
  "Reward": "0.05",
  "AssignmentDurationInSeconds": 3600,
  "AutoApprovalDelayInSeconds": 259200
}
```

In `project/definition/hitproperties.json`:

```json
{"MaxAssignments": 3, "LifetimeInSeconds": 604800}
```

The CSV may hold commas, quotes and line breaks: a cell that does is put in quotes, as every
spreadsheet does by itself. In `project/data.csv`:

```csv
context,intent
"It rained yesterday, it may rain today, and you are about to leave. What do you ask?",ask_weather
"Your guest says ""It is a bit loud, isn't it?"", and means the music.",turn_down_volume
```

Preview and check come before publishing, and cost nothing. A comma that is not in quotes would
be reported with its line:

```console
$ turkbatch check-batch project/definition project/data.csv --hourly-wage 15 --minutes 0.2
${context}: a column of the data, line 7
${intent}: a column of the data, line 8
0 errors, 0 warnings, 0 notes; the largest question has 865 bytes

 HITs                            2
 assignments a HIT               3
 reward an assignment        $0.05
 MTurk's fee an assignment   $0.01
 rewards in all              $0.30
 fees in all                 $0.06
 total                       $0.36
```

Publish; leave `--local` out for MTurk's sandbox, `--live` is the real site. Instead of workers,
the embedded server has simulated ones, and a clock that can be moved:

```console
$ turkbatch create-batch project/definition project/data.csv . --local --yes --batch-id utterances
batch-utterances
2 HITs: 2 created now.
$ turkbatch server clock +20m
2026-11-22T04:03:51+00:00
The server's clock is 1,200 seconds ahead.
$ turkbatch server work batch-utterances --assignments 2
4 assignments submitted; 2 can still be accepted.
$ turkbatch status-batch batch-utterances

 batch                         utterances
 environment                   local
 HITs                          2 of 2
   Assignable                  2      ████████████████████
   saved                       0
 assignments                   6
   available                   2      ███████
   being worked on             0
   waiting for review          4      █████████████
   approved                    0
   rejected                    0
 paid, with fees               $0.00
 still to come, at most        $0.36
 average work time             0:01:17
 effective hourly wage         $2.35
 next approved by itself       2026-11-25T04:03:52+00:00
 open until                    2026-11-29T03:43:50+00:00
 all submitted, at this rate   2026-11-22T04:13:54+00:00

Work waits for review: run `turkbatch review-batch batch-utterances`.
```

Results can be had before the batch is at 100 %: save, and extract, as often as you like. The file
is what the website would have given, column by column:

```console
$ turkbatch save-batch batch-utterances
4 assignments of 2 HITs are saved in batch-utterances.
More may come: 2 HITs are open, 4 assignments are not reviewed. Save again later.
$ turkbatch extract tabular batch-utterances Batch_1_batch_results.csv --style requester
4 assignments are in Batch_1_batch_results.csv.
$ head -c 60 Batch_1_batch_results.csv
"HITId","HITTypeId","Title","Description","Keywords","Reward
```

Put an `x` into Approve, or a reason into Reject, and give the file back. Here sed puts the `x`:

```console
$ sed 's/"",""\r$/"x",""\r/' Batch_1_batch_results.csv > reviewed.csv
$ turkbatch review-batch batch-utterances --decisions reviewed.csv --yes

 to approve         4
 to reject          0
 rewards        $0.20
 MTurk's fees   $0.04

4 approved, 0 rejected.
```

Work that was rejected by mistake is approved by `turkbatch review-batch batch-utterances --undo`,
for 30 days. Files that were downloaded from the website years ago can be read as well:
`turkbatch extract tabular Batch_1_batch_results.csv results.jsonl --inputs`.
"""

FILE = re.compile(r"In\s+`([^`\n]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
SESSION = re.compile(r"```console\n(.*?)```", re.DOTALL)


def _masked(text: str) -> str:
    """Take out times, and the width of a table's lines."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+", "TIME", text)
    lines = (re.sub(r"  +", "  ", line).strip() for line in text.splitlines())
    return "\n".join(filter(None, lines))


def _turkbatch_in(directory: Path) -> str:
    """Put the command on the path, as an installation does."""
    command = directory / "turkbatch"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m turkbatch "$@"\n')
    command.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


def test_the_way_from_the_website_is_as_it_is_told(tmp_path: Path) -> None:
    for name, content in FILE.findall(SECTION):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    variables = {**os.environ, "PATH": _turkbatch_in(tmp_path), "PYTHONPATH": str(ROOT)}
    for session in SESSION.findall(SECTION):
        for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                check=False,
            )
            assert _masked(done.stdout) == _masked(shown), command


def test_the_readme_tells_it_in_these_words() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if "## Coming from the requester website" in readme:
        assert SECTION.strip() in readme
