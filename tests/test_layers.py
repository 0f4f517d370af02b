"""app → plugins → store, one module that connects to databases, one that knows hnswlib."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("app", "plugins", "store") for path in (ROOT / folder).rglob("*.py"))


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def connections(source: str) -> Iterator[str]:
    """Where a source connects to a database: `sqlite3.connect(` at line n."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sqlite3.connect", "aiosqlite.connect"):
            yield f"{ast.unparse(node.func)} at line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module in ("sqlite3", "aiosqlite"):
            for alias in node.names:
                if alias.name == "connect":
                    yield f"from {node.module} import connect at line {node.lineno}"


def test_imports_go_from_app_to_plugins_to_store_only() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


def test_an_import_against_the_layers_is_refused(tmp_path: Path) -> None:
    layers = ("app/merchandising", "app/search", "app/serving", "app/rules", "app/filters")
    within = (*layers, "app/privacy", "app/storefront", "app/console")
    for folder in ("app", *within, "plugins", "store", "web"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
        (tmp_path / folder / "late.py").touch()
    (tmp_path / "store/index.py").write_text("import hnswlib\n")
    (tmp_path / "store/database.py").write_text("import aiosqlite, sqlite3\n")
    assert lint_imports(tmp_path).returncode == 0

    against = [
        ("store", "app.late"),
        ("store", "plugins.late"),
        ("plugins", "app.late"),
        ("web", "store.late"),
        ("app", "hnswlib"),
        ("plugins", "sqlite3"),
        ("app/rules", "app.serving.late"),
        ("app/serving", "app.merchandising.late"),
        ("app/privacy", "app.serving.late"),
    ]
    refused = []
    for number, (folder, imported) in enumerate(against):
        (tmp_path / folder / f"early{number}.py").write_text(f"import {imported}\n")
        refused.append(f"{folder.replace('/', '.')}.early{number} -> {imported}")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    assert [line for line in refused if line not in result.stdout] == [], result.stdout


def test_one_module_connects_to_databases() -> None:
    connecting = {path.relative_to(ROOT): list(connections(path.read_text())) for path in SOURCES}
    del connecting[Path("store/database.py")]
    assert {path: lines for path, lines in connecting.items() if lines} == {}


def test_a_stray_connection_is_noticed() -> None:
    assert list(connections("import sqlite3\nsqlite3.connect('x')")) == ["sqlite3.connect at line 2"]
    assert list(connections("from sqlite3 import connect")) == ["from sqlite3 import connect at line 1"]
