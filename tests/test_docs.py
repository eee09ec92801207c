"""The documentation: its examples run, its tables agree with the code, its links lead somewhere."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import sys
import tomllib
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, NamedTuple, get_args

import click
import numpy as np
import polars as pl
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from poise import models
from poise.adaptation import Adaptation
from poise.cli.group import group
from poise.config import Config, check_config
from poise.data.dataset import Dataset
from poise.data.ingest.clean import Cleaning
from poise.data.ingest.feedback import Feedback
from poise.data.ingest.indexing import index
from poise.datasets import registry
from poise.encoders.text import TextEncoder
from poise.evaluation import METRICS
from poise.models import MODULES
from poise.models.sequential.sequence_model import SequenceModel
from poise.pipeline import Pipeline
from poise.recommender import Recommender

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = [ROOT / "src" / "poise", ROOT / "clients" / "python" / "src" / "poise_client"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
ENGLISH = [page for page in PAGES if DOCS / "zh" not in page.parents]


class Block(NamedTuple):
    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    matches = re.findall(
        r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [Block(*match) for match in matches]


def has_commands(page: Path) -> bool:
    return any(block.language == "sh" and re.search(r"^poise ", block.text, re.MULTILINE) for block in blocks(page))


def has_examples(page: Path) -> bool:
    return has_commands(page) or any(block.language == "python" for block in blocks(page))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


# --- The examples ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep data sets and vectors for all pages together: in ``$POISE_CACHE`` where that is set."""
    given = os.environ.get("POISE_CACHE")
    os.environ.setdefault("POISE_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    if given is None:
        del os.environ["POISE_CACHE"]


class Words:
    """An encoder that counts words: quick, and enough for commands to run."""

    identity = "words"
    batch_size = 1_000

    def reads(self, script: str) -> bool:
        return True

    def encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % 64] += 1
        return vectors


@pytest.fixture(scope="module")
def few(cache: None) -> Dataset:
    """MovieLens 100K cut to 120 people and the 100 most popular films, so that many models are fitted in no time."""
    data = registry.load("movielens-100k")
    popular = np.argsort(-data.item_counts[1:], kind="stable")[:100] + 1
    small_log = data.select(np.isin(data.events.item, popular) & (data.events.user <= 120)).events
    events = pl.DataFrame(
        {
            "user_id": data.user_ids.ids(small_log.user),
            "item_id": data.item_ids.ids(small_log.item),
            "behaviour": data.behaviour_ids.ids(small_log.behaviour.astype(np.int32)),
            "value": small_log.value,
            "timestamp": small_log.timestamp,
        }
    )
    items = data.items.insert_column(0, data.item_ids.series.rename("item_id"))[popular - 1]
    users = data.users.insert_column(0, data.user_ids.series.rename("user_id"))[:120]
    return index(
        events,
        items,
        users,
        item_kinds=data.item_kinds,
        user_kinds=data.user_kinds,
        title_column=data.title_column,
        name=data.name,
    )


class Reader:
    """Does what the examples of a page say, in order, in a folder of its own."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.folder = folder
        self.module = ModuleType(f"page_{page.stem.replace('-', '_').lower()}")
        self.page = page

    def read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, self.module.__name__, self.module)
        monkeypatch.syspath_prepend(str(self.folder))
        for block in blocks(self.page):
            monkeypatch.chdir(self.folder)
            if block.title:
                (self.folder / block.title).write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                self._python(block.text)
            elif block.language == "sh":
                self._shell(block.text)

    def _python(self, text: str) -> None:
        line_number = self.page.read_text(encoding="utf-8").split(text)[0].count("\n")
        exec(compile("\n" * line_number + text, name(self.page), "exec"), self.module.__dict__)

    def _shell(self, text: str) -> None:
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if not words or words[0] != "poise":
                self._move(words)
                continue
            try:
                group.main(words[1:], prog_name="poise", standalone_mode=False)
            except Exception as error:
                raise AssertionError(f"{name(self.page)}: {line}: {error}") from error

    def _move(self, words: list[str]) -> None:
        if words[:1] == ["mkdir"]:
            (self.folder / words[1]).mkdir()
        elif words[:1] == ["cd"]:
            self.folder = self.folder / words[1]
            os.chdir(self.folder)


@pytest.mark.parametrize("page", [page for page in ENGLISH if has_examples(page)], ids=name)
@pytest.mark.usefixtures("capsys", "quick_learning")
def test_the_examples_of_the_documentation_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: Dataset
) -> None:
    monkeypatch.setattr(registry, "load", lambda _: few)
    if has_commands(page):
        monkeypatch.setattr("poise.encoders.text.minilm", lambda *_: Words())
        monkeypatch.setattr("poise.serve.server.serve", lambda _: None)  # it would serve until the end of time
    if page.name == "README.md":  # its commands suppose files of one's own
        log = few.events
        users, films = few.user_ids.ids(log.user), few.item_ids.ids(log.item)
        pl.DataFrame({"user": users, "film": films, "time": log.timestamp}).write_csv(tmp_path / "log.csv")
        pl.DataFrame({"film": few.item_ids.series, "title": few.titles[1:]}).write_csv(tmp_path / "films.csv")
    Reader(page, tmp_path).read(monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_of_poise_toml_are_valid(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            check_config(tomllib.loads(block.text))


def test_the_chinese_pages_have_the_examples_of_the_english_ones() -> None:
    def bare(text: str) -> str:
        lines = (re.sub(r"\s*#.*", "", line).rstrip() for line in text.splitlines())
        return "\n".join(line for line in lines if line)

    for page in sorted((DOCS / "zh").glob("*.md")):
        english = {bare(block.text) for document in ENGLISH for block in blocks(document)}
        for block in blocks(page):
            if block.language in ("sh", "python", "toml"):
                assert bare(block.text) in english, f"{name(page)}: not in the English page:\n{block.text}"


# --- The tables -----------------------------------------------------------------------------------------------------


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables in ``text``, without the rules below the headers."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not re.match(r"^\|[-| ]+\|$", line)]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]


def sections(page: Path, level: int) -> dict[str, str]:
    parts = re.split(rf"^{'#' * level} (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options(text: str) -> dict[str, str]:
    """Return the default of each option in the tables of ``text``: the last cell but one of its row."""
    return {row[0].strip("`"): row[-2] for row in rows(text) if row[0].startswith("`")}


def default_of(field: Any) -> str:
    """Return a default as the tables write it."""
    default = field.default
    if isinstance(field, FieldInfo):
        if field.is_required():
            return "required"
    elif default is dataclasses.MISSING:
        if field.default_factory is dataclasses.MISSING:
            return "required"
        default = field.default_factory()
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, list | tuple):
        return f"`[{', '.join(repr(value) for value in default)}]`".replace("'", '"')
    return f"`{default!r}`".replace("'", '"')


_OF_TABLES: dict[str, Any] = {
    "data.cleaning": Cleaning,
    "data.feedback": Feedback,
    "encoder": TextEncoder,
    "adaptation": Adaptation,
}


def config_keys() -> dict[str, str]:
    default_by_key = {}

    def walk(model: type[BaseModel], prefix: str) -> None:
        for key, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, UnionType):
                kind = get_args(kind)[0]
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                walk(kind, f"{prefix}{key}.")
            elif (table := f"{prefix}{key}") in _OF_TABLES:
                default_by_key.update(
                    {f"{table}.{option.name}": default_of(option) for option in dataclasses.fields(_OF_TABLES[table])}
                )
            elif f"{prefix}{key}" != "models":
                default_by_key[f"{prefix}{key}"] = default_of(field)

    walk(Config, "")
    return default_by_key


def test_the_reference_lists_every_key_of_poise_toml() -> None:
    assert options((DOCS / "reference" / "poise-toml.md").read_text(encoding="utf-8")) == config_keys()


def defaults(kind: type[Recommender]) -> dict[str, str]:
    return {option.name: default_of(option) for option in dataclasses.fields(kind)}


@pytest.mark.parametrize("model", [*MODULES, "Pipeline"])
def test_the_reference_lists_every_option_of_every_model(model: str) -> None:
    kind = Pipeline if model == "Pipeline" else getattr(models, model)
    shared = defaults(SequenceModel) if issubclass(kind, SequenceModel) else {}
    listed = options(sections(DOCS / "reference" / "models.md", 2)[model])
    assert listed == {name: default for name, default in defaults(kind).items() if shared.get(name) != default}


def test_the_reference_lists_what_the_sequence_models_share() -> None:
    listed = options(sections(DOCS / "reference" / "models.md", 2)["What the sequence models share"])
    assert listed == defaults(SequenceModel)


def commands(command: click.Command, called: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group) and called != "poise":
        for sub in command.list_commands(click.Context(command)):
            subcommand = command.get_command(click.Context(command), sub)
            assert subcommand is not None
            yield from commands(subcommand, f"{called} {sub}")
        return
    yield called, command
    if isinstance(command, click.Group):
        for sub in command.list_commands(click.Context(command)):
            subcommand = command.get_command(click.Context(command), sub)
            assert subcommand is not None
            yield from commands(subcommand, f"{called} {sub}")


def test_the_reference_lists_every_command_and_option() -> None:
    listed = {
        title.strip("`"): {word.strip("`") for row in rows(text)[1:] for word in row[0].split(", ")}
        for title, text in sections(DOCS / "reference" / "cli.md", 2).items()
    }
    there = {}
    for called, command in commands(group, "poise"):
        names = set()
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                names.add(str(parameter.name).upper())
            else:
                names |= {*parameter.opts, *parameter.secondary_opts}
        there[called] = names | ({"--help", "-h"} if called == "poise" else set())
    assert listed == there


def test_the_reference_lists_every_metric() -> None:
    listed = {
        row[0].strip("`"): row[1]
        for row in rows((DOCS / "reference" / "metrics.md").read_text(encoding="utf-8"))
        if row[0].startswith("`")
    }
    there = {
        f"{metric.name}@k" if metric.at_k else metric.name: {"max": "more", "min": "less"}[metric.better]
        for metric in METRICS.values()
    }
    assert listed == there


def test_the_architecture_has_the_layers_that_are_checked() -> None:
    (drawn,) = [block.text for block in blocks(DOCS / "architecture.md") if block.text.startswith("cli\nserve\n")]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert drawn.replace(" · ", " | ").splitlines() == layers


def test_the_architecture_names_files_and_names_that_exist() -> None:
    code = {path: path.read_text(encoding="utf-8") for folder in PACKAGES for path in folder.rglob("*.py")}
    words = set(re.findall(r"\w+", "\n".join(code.values())))
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    missing = []
    for term, _, *where in (row for row in rows(text) if len(row) in (3, 4)):
        for named in re.findall(r"`([^`]+)`", f"{term} {' '.join(where)}"):
            if named.endswith((".py", "/")):
                missing += [named] if not (PACKAGES[0] / named).exists() else []
            else:
                missing += [named] if not set(named.split(".")) <= words else []
    assert not missing


# --- The links ------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_have_a_target(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name(page)} links to {target}, which is not there"
        if anchor:
            targets = anchors(there)
            assert anchor in targets, f"{name(page)} links to {target}; {there.name} has {sorted(targets)}"


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1].split("\nvalidation:")[0]
    named = set(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE))
    assert named == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


def test_the_site_needs_nothing_from_elsewhere() -> None:
    """The theme would fetch fonts, and a page could fetch scripts."""
    assert "font: false" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in [ROOT / "mkdocs.yml", *DOCS.rglob("*.md"), *DOCS.rglob("*.css"), *DOCS.rglob("*.svg")]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(src=|url\(|@import|extra_javascript|!\[[^]]*\]\()\s*['\"]?https?:", text), name(page)


@pytest.mark.parametrize("which", ["demo", "test"])
def test_the_readme_has_the_two_commands_on_one_line_each(which: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    matches = re.findall(rf"<!-- {which} command -->\n```sh\n(.+)\n```", text)
    assert len(matches) == 1
    assert matches[0].startswith("python3 -m venv .venv && ")
