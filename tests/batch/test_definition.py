from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from turkbatch import errors
from turkbatch.batch import definition as definitions

NAMES = ["hittypeproperties.json", "hitproperties.json", "question.html.j2"]


def files(path: Path) -> dict[str, bytes]:
    return {
        one.relative_to(path).as_posix(): one.read_bytes()
        for one in sorted(path.rglob("*"))
        if one.is_file()
    }


def test_a_definition_is_read(definition: Path) -> None:
    found = definitions.read(definition)
    assert found == definitions.Definition(
        definition,
        {
            "Title": "Name the colour",
            "Description": "One word.",
            "Reward": "0.10",
            "AssignmentDurationInSeconds": 600,
            "AutoApprovalDelayInSeconds": 86400,
        },
        {"MaxAssignments": 2, "LifetimeInSeconds": 3600},
        definitions.digest(definition),
    )
    assert found.max_assignments == 2


def test_one_assignment_is_the_default(definition: Path) -> None:
    (definition / "hitproperties.json").write_text("{}")
    assert definitions.read(definition).max_assignments == 1


@pytest.mark.parametrize(
    ("name", "found"), [("none", "no such directory"), ("file", "this is a file")]
)
def test_what_is_no_directory_is_refused(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / "file").touch()
    message = rf"^{tmp_path}/{name}: {found}; name a directory that holds a definition$"
    with pytest.raises(errors.DefinitionError, match=message):
        definitions.read(tmp_path / name)


def test_faults_of_both_property_files_are_gathered(definition: Path) -> None:
    (definition / "hittypeproperties.json").write_text("[]")
    (definition / "hitproperties.json").unlink()
    with pytest.raises(errors.DefinitionError, match="holds a list") as caught:
        definitions.read(definition)
    assert str(caught.value) == (
        f"{definition}/hittypeproperties.json: holds a list;"
        ' it must hold one JSON object, such as {"Title": "..."}\n'
        f"{definition}/hitproperties.json: no such file; check the path"
    )


def test_the_digest_is_that_of_names_and_contents(definition: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(definition, copy)
    before = definitions.digest(definition)
    assert definitions.digest(copy) == before

    (copy / "NOTES").touch()
    with_notes = definitions.digest(copy)
    (copy / "NOTES").rename(copy / "NOTES2")
    renamed = definitions.digest(copy)
    (copy / "NOTES2").write_text("1")
    changed = definitions.digest(copy)
    (copy / "sub").mkdir()
    (copy / "NOTES2").rename(copy / "sub" / "NOTES2")
    moved = definitions.digest(copy)
    assert len({before, with_notes, renamed, changed, moved}) == 5


def test_the_digest_tells_where_one_file_ends_and_the_next_begins(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1y\0001\0002")
    (tmp_path / "b" / "x").write_bytes(b"1")
    (tmp_path / "b" / "y").write_bytes(b"2")
    assert definitions.digest(tmp_path / "a") != definitions.digest(tmp_path / "b")


def test_a_copy_is_whole(definition: Path, tmp_path: Path) -> None:
    (definition / "NOTES").write_bytes(b"\xff\0\r\n")
    (definition / "images" / "small").mkdir(parents=True)
    (definition / "images" / "small" / "a.png").write_bytes(b"\x89PNG")
    (definition / ".hidden").write_text("too")
    (tmp_path / "outside.txt").write_text("linked")
    (definition / "link.txt").symlink_to(tmp_path / "outside.txt")
    definitions.copy(definitions.read(definition), tmp_path / "copy")
    assert files(tmp_path / "copy") == files(definition)
    assert {".hidden", "link.txt", "images/small/a.png", *NAMES} <= set(files(tmp_path / "copy"))
    assert not (tmp_path / "copy" / "link.txt").is_symlink()


def test_a_copy_leaves_out_batches_and_what_tools_left(definition: Path, tmp_path: Path) -> None:
    left_out = [
        ".git/HEAD",
        ".hg/store",
        ".svn/entries",
        "__pycache__/a.pyc",
        ".ipynb_checkpoints/a.ipynb",
        ".DS_Store",
        "sub/.DS_Store",
        "batch-1/data.jsonl",
        ".batch-2.0f.tmp/data.jsonl",
    ]
    before = definitions.digest(definition)
    for name in left_out:
        (definition / name).parent.mkdir(parents=True, exist_ok=True)
        (definition / name).write_text("x")
    assert definitions.digest(definition) == before
    definitions.copy(definitions.read(definition), tmp_path / "copy")
    assert sorted(files(tmp_path / "copy")) == sorted(NAMES)


def test_a_definition_that_changed_meanwhile_is_refused(definition: Path, tmp_path: Path) -> None:
    read = definitions.read(definition)
    (definition / "question.html.j2").write_text("{{ other }}")
    message = rf"^{definition}: a file changed while .* made; run the command again$"
    with pytest.raises(errors.DefinitionError, match=message):
        definitions.copy(read, tmp_path / "copy")


def test_a_file_that_can_not_be_read_is_named(definition: Path) -> None:
    (definition / "gone.txt").symlink_to("nowhere")
    message = rf"^{definition}/gone.txt: no such file; check the path$"
    with pytest.raises(errors.DefinitionError, match=message):
        definitions.read(definition)


def test_a_name_that_is_not_utf8_is_copied(definition: Path, tmp_path: Path) -> None:
    (definition / "caf\udce9.txt").write_text("x")
    definitions.copy(definitions.read(definition), tmp_path / "copy")
    assert files(tmp_path / "copy") == files(definition)


PROPERTIES = """\ufeff{
  "Title": "a \\"Reward\\": 1, {[",
  "Keywords": "Reward",
  "QualificationRequirements": [
    {"QualificationTypeId": "A",
     "Comparator": "Exists"},
    {
      "QualificationTypeId": "B",
      "LocaleValues": [{"Country": "US"},
                       {"Country": "GB"}],
      "Comparator": "In"
    }
  ],
  "Empty": {}, "None": [ ],
  "Reward": "0.10"
}
"""


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        pytest.param(("Title",), 2, id="first"),
        pytest.param(("Reward",), 15, id="not the same name inside a value"),
        pytest.param(("QualificationRequirements",), 4, id="a list"),
        pytest.param(("QualificationRequirements", 0, "Comparator"), 6, id="in the first item"),
        pytest.param(("QualificationRequirements", 1), 7, id="the second item"),
        pytest.param(("QualificationRequirements", 1, "Comparator"), 11, id="in the second item"),
        pytest.param(
            ("QualificationRequirements", 1, "LocaleValues", 1, "Country"), 10, id="far down"
        ),
        pytest.param(("QualificationRequirements", 1, "Missing"), 7, id="missing in an item"),
        pytest.param(("QualificationRequirements", 2), 4, id="an item that is not there"),
        pytest.param(("Title", "x"), 2, id="inside a text"),
        pytest.param(("Empty", "x"), 14, id="inside an empty object"),
        pytest.param(("None", 0), 14, id="inside an empty list"),
        pytest.param(("Missing",), None, id="missing"),
        pytest.param((), None, id="nothing asked"),
    ],
)
def test_the_line_of_a_property_is_found(
    tmp_path: Path, keys: tuple[str | int, ...], line: int | None
) -> None:
    path = tmp_path / "hittypeproperties.json"
    path.write_text(PROPERTIES)
    assert definitions.line_of(path, keys) == line


def test_the_line_of_every_property_of_a_real_file_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "hittypeproperties.json"
    value = json.loads(PROPERTIES.removeprefix("\ufeff"))
    path.write_text(json.dumps(value, indent=2))
    lines = path.read_text().splitlines()
    for key in value:
        line = definitions.line_of(path, (key,))
        assert line is not None
        assert re.match(rf'  "{key}": ', lines[line - 1])


def test_links_that_lead_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_text("x")
    (tmp_path / "inner" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "inner")
    assert len(definitions.digest(tmp_path)) == 64
