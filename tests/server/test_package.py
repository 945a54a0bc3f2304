from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import turkbatch.server

FOLDER = Path(turkbatch.server.__file__).parent
HEAVY = ("boto3", "botocore", "flask", "lxml", "sqlalchemy", "werkzeug")


def test_what_the_package_offers_is_sorted_and_there() -> None:
    names = turkbatch.server.__all__

    assert names == sorted(names)
    for name in names:
        assert getattr(turkbatch.server, name) is importlib.import_module(
            f"turkbatch.server.{name}"
        )


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, turkbatch.server; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"


def test_the_server_imports_nothing_else_of_turkbatch() -> None:
    foreign = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            foreign |= {
                (path.name, name)
                for name in names
                if name.split(".")[0] == "turkbatch" and not name.startswith("turkbatch.server")
            }

    assert foreign == set()
