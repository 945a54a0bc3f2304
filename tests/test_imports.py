from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "turkbatch"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCES.rglob("*.py"))
}
BEFORE_ACTIONS = frozenset(
    {"answers", "batch", "connect", "errors", "files", "money", "mturk", "qualification"}
    | {"browser", "preview", "question", "report", "reviewing", "server", "tables", "website"}
)

# What each package may import from turkbatch, beside itself.
OURS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "money": frozenset({"errors"}),
    "files": frozenset({"errors"}),
    "question": frozenset({"errors"}),
    "answers": frozenset({"errors", "files"}),
    "tables": frozenset({"errors", "files", "website"}),
    "website": frozenset({"errors", "files"}),
    "qualification": frozenset({"errors", "files"}),
    "report": frozenset({"errors", "files"}),
    "batch": frozenset({"errors", "files", "money"}),
    "mturk": frozenset({"errors"}),
    # A mistake shared with the client would pass every test.
    "server": frozenset(),
    # Pages like the worker site's; what they show is given to it.
    "preview": frozenset({"errors", "server"}),
    "reviewing": frozenset({"errors", "server"}),
    # It works on the worker site, and answers as its crowd would.
    "browser": frozenset({"errors", "server"}),
    # It follows a batch's pin, for turkbatch.client(batch_dir=...).
    "connect": frozenset({"mturk", "server", "errors", "batch"}),
    "actions": BEFORE_ACTIONS,
    "cli": BEFORE_ACTIONS | {"actions"},
    "__main__": frozenset({"cli"}),
    # turkbatch/__init__.py itself.
    "": frozenset({"connect"}),
}

# Who may import what is not turkbatch's and not Python's.
THEIRS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "money": frozenset(),
    "files": frozenset(),
    "question": frozenset({"jinja2", "lxml"}),
    "answers": frozenset({"xmltodict", "lxml"}),
    "tables": frozenset(),
    "website": frozenset(),
    "qualification": frozenset({"lxml"}),
    "report": frozenset({"jinja2"}),
    "batch": frozenset(),
    "mturk": frozenset({"boto3", "botocore"}),
    "server": frozenset({"flask", "werkzeug", "waitress", "sqlalchemy", "lxml", "botocore"})
    # Late, and only for real people.
    | {"argon2", "flask_limiter", "flask_login", "flask_wtf", "jwt"},
    "preview": frozenset({"flask", "werkzeug"}),
    "reviewing": frozenset({"flask", "werkzeug"}),
    "browser": frozenset({"playwright"}),
    "connect": frozenset({"platformdirs"}),
    "actions": frozenset(),
    "cli": frozenset({"click", "rich"}),
    "__main__": frozenset(),
    "": frozenset(),
}
# pytest loads it for tests of other people's, which have both.
PLUGIN = {"turkbatch.server.pytest_plugin": {"pytest", "boto3"}}

HEAVY = ["boto3", "botocore", "flask", "sqlalchemy", "lxml", "jinja2", "xmltodict", "playwright"]
HEAVY += ["argon2", "flask_limiter", "flask_login", "flask_wtf", "jwt"]


def package(module: str) -> str:
    """Name the part of turkbatch to which a module belongs."""
    return module.partition(".")[2].partition(".")[0]


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(tree: ast.Module, *, types: bool) -> Iterator[str]:
    """Give what a module imports, in functions too, as dotted names."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if only_for_types(node) and not types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def test_every_package_is_in_the_table() -> None:
    assert {package(module) for module in MODULES} <= set(OURS)
    assert set(OURS) == set(THEIRS)


def test_modules_import_of_turkbatch_what_the_table_says() -> None:
    found = {}
    for module in MODULES:
        names = imports(tree(module), types=False)
        used = {package(name) for name in names if name.startswith("turkbatch")}
        # `from turkbatch import __version__` is of no package.
        found[module] = used - {package(module), "__version__"} - OURS[package(module)]
    assert {module: names for module, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("types", "more"),
    [
        pytest.param(False, set(), id="at run time"),
        pytest.param(True, {"mypy_boto3_mturk", "_typeshed"}, id="for types too"),
    ],
)
def test_modules_import_of_others_what_the_table_says(types: bool, more: set[str]) -> None:
    found = {}
    for module in MODULES:
        used = {name.split(".")[0] for name in imports(tree(module), types=types)}
        foreign = used - {"turkbatch"} - sys.stdlib_module_names
        found[module] = foreign - THEIRS[package(module)] - more - PLUGIN.get(module, set())
    assert {module: names for module, names in found.items() if names} == {}


def test_what_is_imported_is_what_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"], *extras["browser"], *extras["people"]]
    named = {re.split(r"[>\[]", line)[0].lower().replace("-", "_") for line in every}
    named = {{"argon2_cffi": "argon2", "pyjwt": "jwt"}.get(name, name) for name in named}
    used = set().union(*THEIRS.values())
    # Each of these comes with the one that it belongs to.
    assert used - {"botocore", "werkzeug"} == named


def test_no_module_is_a_place_for_odds_and_ends() -> None:
    words = {word for module in MODULES for word in module.split(".")}
    assert words & {"utils", "util", "helpers", "common", "misc"} == set()


def test_another_package_is_imported_as_modules() -> None:
    """So that a call shows its home; types may be imported by name."""
    named = {
        (module, name)
        for module in MODULES
        for name in imports(tree(module), types=False)
        if name.startswith("turkbatch.")
        and package(name) != package(module)
        and name not in MODULES
        and not name.rsplit(".", 1)[1][0].isupper()
        and MODULES[name.rsplit(".", 1)[0]].name != "__init__.py"
    }
    assert named == set()


OFFERING = [name for name, path in MODULES.items() if path.name == "__init__.py"]


@pytest.mark.parametrize("module", OFFERING)
def test_what_a_package_offers_is_sorted_and_there(module: str) -> None:
    imported = importlib.import_module(module)
    offered = getattr(imported, "__all__", None)
    if offered is None:
        # Then nothing is offered: the file holds a docstring alone.
        assert [type(node) for node in tree(module).body] == [ast.Expr]
        return
    # As ruff sorts: constants, classes, all others.
    assert offered == sorted(
        offered, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert [name for name in offered if not hasattr(imported, name)] == []
    own = {
        name
        for name, value in vars(imported).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith("turkbatch")
    }
    assert own <= set(offered)


def undocumented(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            overload = any("overload" in ast.unparse(one) for one in node.decorator_list)
            if ast.get_docstring(node) is None and not overload:
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, f"{node.name}.")


def test_everything_public_says_what_it_is_for() -> None:
    assert [module for module in MODULES if ast.get_docstring(tree(module)) is None] == []
    found = {module: list(undocumented(tree(module).body)) for module in MODULES}
    assert {module: names for module, names in found.items() if names} == {}


def loaded_by(code: str) -> list[str]:
    """Run code in a new process; list what it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


HELP = """
from turkbatch import __main__
sys.argv = ["turkbatch", "--help"]
try:
    __main__.main()
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import turkbatch", id="the package"),
        pytest.param(HELP, id="turkbatch --help"),
    ],
)
def test_the_heavy_ones_are_loaded_late(code: str) -> None:
    loaded = loaded_by(code)
    assert "turkbatch" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_the_service_is_loaded_without_the_server_and_the_server_without_the_service() -> None:
    client = loaded_by("import turkbatch.actions.create, turkbatch.connect")
    assert [name for name in ("flask", "sqlalchemy", "turkbatch.server") if name in client] == []
    server = loaded_by("import turkbatch.server.app")
    ours = {package(name) for name in server if name.startswith("turkbatch")}
    assert ours == {"", "server"}


def reads(node: ast.AST) -> bool:
    suspects = ("environ", "getenv", "open", "read_text", "read_bytes", "Session", "urlopen")
    name = node.func if isinstance(node, ast.Call) else node
    return isinstance(name, ast.Attribute | ast.Name) and (
        ast.unparse(name).split(".")[-1] in suspects
    )


def test_no_import_reads_a_file_the_environment_or_the_network() -> None:
    """What a module does when it is loaded is to define."""
    found = [
        f"{module}:{node.lineno}"
        for module in MODULES
        for statement in tree(module).body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.ImportFrom)
        and not only_for_types(statement)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call | ast.Attribute) and reads(node)
    ]
    assert found == []
