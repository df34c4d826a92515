"""Places in stores on the command line: said as they were typed, before anything is done."""

from pathlib import Path

import pytest
from support.command_line import one_line, run

from ordercycle._cli.app import cli
from ordercycle._cli.paths import DiskPath

READ = {"file", "lists", "profile", "earlier", "features", "source"}


def every_place():
    """Return each command, and each of its options and arguments that is a place on a disk."""
    return [
        (name, param)
        for name, command in sorted(cli.commands.items())
        for param in command.params
        if isinstance(param.type, DiskPath)
    ]


@pytest.mark.parametrize(
    ("command", "param"), every_place(), ids=lambda one: getattr(one, "name", one)
)
def test_a_uri_is_refused_as_it_was_typed(command, param, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = "s3://shop/nightly/a.csv"
    is_option = param.param_type_name == "option"
    result = run(command, *([param.opts[0]] if is_option else []), place)
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2
    assert f"{param.opts[0] if is_option else param.human_readable_name} {place} is a URI" in line
    says = "copy it there first" if param.name in READ else "nothing is kept or written in stores"
    assert says in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "option", "place"),
    [
        ("segment", "--scheme", "s3://shop/rules.toml"),
        ("segment", "--clv", "s3://shop/clv.toml"),
        ("report", "--touches", "s3://shop/touches.toml"),
        ("attribution", "--touches", "gs://shop/touches.TOML"),
    ],
)
def test_so_is_that_of_a_file_that_says_how(command, option, place):
    (line,) = run(command, option, place).stderr.splitlines()
    assert f"{option} {place} is a URI, and this file is read from a disk only" in line


@pytest.mark.parametrize(("command", "option"), [("report", "--touches"), ("profile", "--out")])
def test_of_a_uri_of_a_disk_its_path_is_asked_for(command, option):
    (line,) = run(command, option, "File:///shop/a.toml").stderr.splitlines()
    assert line.endswith("; write its path")


def test_no_other_option_makes_a_path_of_what_was_typed():
    kinds = {
        type(param.type).__name__
        for command in cli.commands.values()
        for param in command.params
        if getattr(param.type, "type", None) is Path
    }
    assert kinds == {"DiskPath"}


def test_a_stream_of_lists_is_where_it_was_said_to_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists.toml").write_text(
        """[audiences.All]
where = "has(lines)"
"""
    )
    given = ("--profile", "profile.parquet", "--stream", "lines=file:///no/such/lines.parquet")
    result = run("audience", "lists.toml", *given, "--out", "made")
    assert one_line(result).endswith("there is no file or directory '/no/such/lines.parquet'")
