"""What a release check says of runs: one build of each environment, and what is missing."""

import pytest
from release.check import artefacts_of, build_of, table

OK = {"passed": True, "seconds": 1, "found": "numba 0.68.1"}
PASSED = {"passed": True, "seconds": 9, "found": "269 passed in 8.1s"}
FAILED = {"passed": False, "seconds": 1, "found": "no space left"}


def line(build, checks, environment="Python 3.12.1, wheel"):
    return {"environment": environment, "build": build, "checks": checks}


def rows_of(runs):
    return [row.strip("| ").split(" | ") for row in table(runs).splitlines()[2:]]


def test_of_each_environment_the_latest_build_is_shown_alone():
    runs = [
        line("aaa", {"install": OK}),
        line("aaa", {"doctor": FAILED}),
        line("aaa", {"tests": PASSED}),
        line("aaa", {"install": OK}, "Python 3.11.7, sdist"),
        line("bbb", {"install": OK}),
        line("bbb", {"demo": OK}),
    ]
    assert rows_of(runs[:3]) == [
        ["Python 3.12.1, wheel", "aaa", "numba 0.68.1", "ok", "FAILED", "not run", "269 passed"]
    ]
    assert rows_of(runs) == [
        ["Python 3.11.7, sdist", "aaa", "numba 0.68.1", "ok", "not run", "not run", "not run"],
        ["Python 3.12.1, wheel", "bbb", "numba 0.68.1", "ok", "not run", "ok", "not run"],
    ]


def test_another_install_begins_anew():
    runs = [line("aaa", {"install": OK}), line("aaa", {"tests": PASSED})]
    (row,) = rows_of([*runs, line("aaa", {"install": FAILED})])
    assert row[1:] == ["aaa", "", "FAILED", "not run", "not run", "not run"]


def test_a_build_is_both_of_its_files(tmp_path):
    wheel, sdist = (tmp_path / f"shop-1.0{end}" for end in ("-py3-none-any.whl", ".tar.gz"))
    sdist.write_bytes(b"sources")
    with pytest.raises(SystemExit, match=r"has no wheel \(\*\.whl\): one build has both; make"):
        artefacts_of(tmp_path)
    wheel.write_bytes(b"modules")
    found = artefacts_of(tmp_path)
    assert found == {"wheel": wheel.resolve(), "sdist": sdist.resolve()}
    before = build_of(found)
    assert build_of(found) == before
    wheel.write_bytes(b"other modules")
    assert build_of(found) != before
    (tmp_path / "shop-0.9.tar.gz").write_bytes(b"older")
    with pytest.raises(SystemExit, match=r"2 sdists \(shop-0.9.tar.gz, shop-1.0.tar.gz\): leave"):
        artefacts_of(tmp_path)
