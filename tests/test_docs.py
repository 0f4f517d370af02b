"""The documentation leads somewhere: every page is in the index, every link and every file named in it exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "plugins/README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = re.compile(
    r"\b(?:app|plugins|store|web|tests|tools|docs)/[\w/.-]*\w\.(?:py|md|toml|html|js|mjs|sql|c|sh|png)\b"
)


def links(text: Path) -> list[Path]:
    told = LINK.findall(text.read_text())
    return [text.parent / link for link in told if not link.startswith(("http://", "https://", "/"))]


def test_every_page_is_in_the_index() -> None:
    index = {link.resolve() for link in links(DOCS / "README.md")}
    missing = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if page.resolve() not in index]
    assert missing == ["README.md"]
    assert DOCS / "README.md" in {link.resolve() for link in links(ROOT / "README.md")}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: str(text.relative_to(ROOT)))
def test_links_and_named_files_are_there(text: Path) -> None:
    gone = [str(link) for link in links(text) if not link.exists()]
    gone += [name for name in NAMED.findall(text.read_text()) if not (ROOT / name).exists()]
    assert gone == []


def test_code_names_files_that_are_there() -> None:
    texts = [text for folder in ("app", "plugins", "store") for text in (ROOT / folder).rglob("*.py")]
    gone = [
        f"{text.relative_to(ROOT)}: {name}"
        for text in [*texts, ROOT / "personalize.toml", ROOT / "app/config/template.toml"]
        for name in NAMED.findall(text.read_text())
        if "NAME" not in name and not (ROOT / name).exists()
    ]
    assert gone == []
