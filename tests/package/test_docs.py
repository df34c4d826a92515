"""What the documentation says is what the package does.

The Python examples of README.md and docs run as doctests; what else can be checked is here.
"""

import ast
import doctest
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from support.command_line import run

import ordercycle as oc
from ordercycle._cli.feature_files import FeatureFile
from ordercycle._cli.scheme_files import read_scheme
from ordercycle._cli.stream_files import StreamTable
from ordercycle._cli.touch_files import TouchFile
from ordercycle._features.functions import FUNCTIONS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
PAGES = [README, *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^```(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: Pages with an example that only sketches a call, or, for Spark, that the engine's tests run.
SKETCHED = {
    "README.md",
    "docs/getting-started.md",
    "docs/guides/audiences.md",
    "docs/guides/from-your-export.md",
    "docs/guides/live-segments.md",
    "docs/scaling/dask-gateway.md",
    "docs/scaling/lakes.md",
    "docs/scaling/spark-clusters.md",
    "docs/scaling/spark.md",
}


def blocks(page, kind):
    return [text for found, text in BLOCK.findall(page.read_text()) if found == kind]


def name_of(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_are_doctests(page):
    sketched = [text for text in blocks(page, "python") if ">>>" not in text]
    sketched = [text for text in sketched if text.strip() != "import ordercycle as oc"]
    assert len(sketched) <= (name_of(page) in SKETCHED)
    for text in sketched:
        compile(text, name_of(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_are_clean(page):
    text = page.read_text()
    assert not re.search(r"[A-Z]+_[A-Z]+_?TABLE|TODO|BENCHMARK_", text)
    assert text.count("```") % 2 == 0


COMMANDS = [page for page in PAGES if blocks(page, "console")]


@pytest.mark.parametrize("page", COMMANDS, ids=name_of)
def test_commands_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert examples.failed == 0
    for text in blocks(page, "toml"):
        if named := re.match(r"# (\S+\.toml)\n", text):
            Path(named[1]).write_text(text, encoding="utf-8")
    lines = [line for text in blocks(page, "console") for line in text.splitlines()]
    commands = [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]
    assert commands
    for program, *arguments in commands:
        assert program == "ordercycle"
        result = run(*arguments)
        assert result.exit_code == 0, (arguments, result.stderr)
        assert "warning" not in result.stderr.lower(), (arguments, result.stderr)
        if "--out" in arguments:
            assert Path(arguments[arguments.index("--out") + 1]).stat().st_size > 0


SOURCES = [(page, text) for page in PAGES for text in blocks(page, "toml")]


@pytest.mark.parametrize(("page", "text"), SOURCES, ids=[name_of(page) for page, _ in SOURCES])
def test_toml_is_a_scheme_or_features_or_a_source(page, text, tmp_path):  # noqa: ARG001 - named
    data = tomllib.loads(text)
    file = tmp_path / "shown.toml"
    file.write_text(text, encoding="utf-8")
    if "audiences" in data:
        tables = StreamTable.all_of(file, data.pop("streams", {}))
        assert set(oc.audiences_from_dict(data).reads_streams) <= set(tables)
    elif "journey" in data:
        assert oc.Journey.from_dict(data).lint() == ()
    elif "experiment" in data:
        assert oc.Experiment.from_dict(data).to_dict() == data
    elif "scheme" in data:
        assert read_scheme(file).scheme
    elif "attribution" in data:
        assert TouchFile.read(str(file)).streams
    elif "features" in data:
        assert FeatureFile.read(file).adds
    else:
        assert oc.source_from_dict(data)


def test_the_docstring_of_features_has_all_functions():
    for name, function in FUNCTIONS.items():
        assert f"``{name}(s" in oc.features.__doc__ or f"``{name}``" in oc.features.__doc__
        assert function.meaning


#: Where names of files begin.
ROOTS = (ROOT, ROOT / "src" / "ordercycle")
CONTRIBUTING = sorted((ROOT / "docs" / "contributing").glob("*.md"))


@pytest.mark.parametrize("page", CONTRIBUTING, ids=name_of)
def test_files_that_contributors_are_sent_to_exist(page):
    named = re.findall(r"`([\w/.]+\.py|tests/[\w/]+|kernels/[\w/]+)`", page.read_text())
    assert not [name for name in named if not any((root / name).exists() for root in ROOTS)]


def defined_in(name):
    """Return the names that a file defines, at the top."""
    (path,) = (root / name for root in ROOTS if (root / name).is_file())
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_what_contributors_look_for_is_where_they_are_sent():
    text = (ROOT / "docs" / "contributing" / "floors.md").read_text()
    rows = text.partition("## Where to look")[2].splitlines()[4:]
    for row in rows:
        places = re.findall(r"((?:`\w+`(?:, | and )?)+) in `([\w/]+\.py)`", row)
        assert places, row
        assert sum(names.count("`") // 2 + 1 for names, _ in places) == row.count("`") // 2, row
        for names, path in places:
            assert set(re.findall(r"\w+", names)) - {"and"} <= defined_in(path), row


def test_the_floors_of_the_documentation_are_those_of_the_code():
    text = (ROOT / "docs" / "contributing" / "floors.md").read_text()
    rows = text.partition("| floor |")[2].partition("\n\n")[0].splitlines()[2:]
    shown = [set(re.findall(r"`(\w+)`", row.split("|")[2])) for row in rows]
    assert shown == declared_floors()


def declared_floors():
    tree = ast.parse((Path(__file__).parent / "test_imports.py").read_text())
    (floors,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "FLOORS"
    )
    return ast.literal_eval(floors)


def test_some_page_shows_commands():
    assert COMMANDS


def test_every_public_name_is_in_the_reference():
    listed = (ROOT / "docs" / "reference" / "api.md").read_text().split()
    names = [name for name in oc.__all__ if name != "datasets"]
    names += [f"datasets.{name}" for name in oc.datasets.__all__]
    assert not [name for name in names if name not in listed]


def test_links_within_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text())
    assert links
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_the_first_two_commands_set_up_and_run_the_demo_and_the_tests():
    demo, tests, *_ = blocks(README, "sh")
    assert "demo" in demo
    assert "pytest" in tests


def rows_below(text, heading):
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [row for row in rows if not row.startswith(("| |", "|---"))]


def test_the_readme_claims_what_the_benchmarks_show():
    text = BENCHMARKS.read_text()
    claims = rows_below(text, "In short")
    assert rows_below(README.read_text(), "Benchmarks") == claims
    details = [
        row for part in ("In memory", "From Parquet to Parquet") for row in rows_below(text, part)
    ]
    measured = "\n".join(details)
    for claim in claims:
        numbers = re.findall(r"(?<![\w.\"])\d+(?:\.\d+)?(?= s\b| times)", claim)
        assert numbers
        for number in numbers:
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", measured), (claim, number)


def test_the_readme_is_a_front_page():
    assert 8_000 <= len(README.read_bytes()) <= 10_000
