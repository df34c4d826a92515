"""`ordercycle doctor`: what is wrong is said, with what to do about it."""

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from support.command_line import run

from ordercycle._cli import findings
from ordercycle._cli.entry import main

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
#: Extras for those who change the code.
OURS = {"test", "lint", "docs", "benchmarks"}


def names_of(requirements):
    return {re.match(r"[\w.-]+", one)[0] for one in requirements}


def found(*, usable=True):
    result = run("doctor", "--json")
    assert result.exit_code == (not usable), result.output
    said = json.loads(result.stdout)
    assert said["usable"] is usable
    return {check["name"]: check for check in said["checks"]}


def test_what_is_looked_at_is_what_the_project_names():
    assert set(findings.CORE) == names_of(PROJECT["dependencies"])
    extras = PROJECT["optional-dependencies"]
    assert findings.EXTRAS.keys() == extras.keys() - OURS
    for name, (libraries, _) in findings.EXTRAS.items():
        assert names_of(extras[name]) <= set(libraries), name


def test_a_sound_machine():
    checks = found()
    assert {"python", "numpy", "numba", "pyarrow", "spark", "compiled code"} <= checks.keys()
    assert {"cache", "threads", "open files", "temporary files", "time zones"} <= checks.keys()
    assert checks["compiled code"]["value"] == "runs"
    assert re.fullmatch(r"\d+ of \d+ kernels, [\d.,]+ MB", checks["compiled"]["value"])
    assert not [check for check in checks.values() if check["status"] == "problem"]
    shown = run("doctor")
    assert shown.exit_code == 0
    assert shown.stdout.endswith("ordercycle can be used.\n")
    assert all(check["name"] in shown.stdout for check in checks.values())


def test_libraries_that_are_missing_old_or_broken(monkeypatch):
    version, load = metadata.version, findings.import_module

    def other_version(name):
        if name == "rich":
            raise metadata.PackageNotFoundError(name)
        return {"click": "7.1", "matplotlib": "3.8"}.get(name) or version(name)

    def broken(name):
        if name == "numba":
            raise ImportError("Numba needs NumPy 2.4 or less.\x1b[0m")
        return load(name)

    monkeypatch.setattr(metadata, "version", other_version)
    monkeypatch.setattr(metadata, "requires", lambda _: ["click>=8.2", "dask[x]>=1; extra == 'y'"])
    monkeypatch.setattr(findings, "import_module", broken)
    checks = found(usable=False)
    bad = {name: check for name, check in checks.items() if check["status"] == "problem"}
    assert bad.keys() == {"rich", "click", "numba"}
    assert bad["rich"]["value"] == "not installed"
    assert bad["click"]["value"] == "7.1, and >=8.2 is needed"
    assert bad["click"]["remedy"] == 'pip install --upgrade "click>=8.2"'
    assert "Numba needs NumPy 2.4 or less" in bad["numba"]["value"]
    assert "not tried" in checks["compiled code"]["value"]
    shown = run("doctor")
    assert shown.exit_code == 1
    assert "\x1b" not in shown.stdout
    assert "cannot be used before this is solved: numba, click, rich" in shown.stdout


def test_an_extra_that_is_missing_says_how_to_get_it(monkeypatch):
    version = metadata.version

    def without_excel(name):
        if name == "python-calamine":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_excel)
    check = found()["excel"]
    assert (check["status"], check["value"]) == ("absent", "without python-calamine: Excel files")
    assert check["remedy"] == 'pip install "ordercycle[excel]"'


def test_wrong_code_is_a_problem(monkeypatch):
    monkeypatch.setattr(findings, "HASHES", (1, 2))
    check = found(usable=False)["compiled code"]
    assert (check["status"], check["value"]) == ("problem", "gives wrong numbers")
    assert "cache folder" in check["remedy"]


def test_where_kernels_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(tmp_path))
    (tmp_path / "of_another").mkdir()
    (tmp_path / "of_another" / "a.bin").write_bytes(b"0" * 2_000_000)
    checks = found()
    assert checks["cache"]["value"] == f"{tmp_path}, writable"
    assert checks["compiled"]["value"].startswith("0 of ")
    assert checks["of other versions"]["value"] == "2.0 MB in 1 folder"
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", "off")
    assert found()["cache"]["status"] == "note"


def test_a_cache_that_others_can_write_is_told_of(monkeypatch, tmp_path):
    tmp_path.chmod(0o777 | stat.S_ISVTX)
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(tmp_path))
    check = found()["cache"]
    assert check["status"] == "note"
    assert "others than this user can put code into" in check["value"]


def test_small_machines(monkeypatch):
    lines = {findings.CPU_LIMIT: ["50000 100000"], findings.MEMORY_LIMITS[0]: ["1000000000"]}
    lines["/proc/mounts"] = ["disk / ext4 rw 0 0", "memory /some tmpfs rw 0 0"]
    monkeypatch.setattr(findings, "_lines", lambda path: lines.get(path, []))
    assert "may use 0.5" in findings._threads().value
    assert findings._threads().remedy == "pass --threads 1"
    assert findings._memory().value.endswith("may use 1.0 GB")
    assert findings._kind_of_disk("/some/where") == "tmpfs"
    assert findings._kind_of_disk("/something") == "ext4"


def test_without_temporary_folder_time_zones_or_java(monkeypatch, tmp_path):
    def nowhere():
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(findings.tempfile, "gettempdir", nowhere)
    assert findings._temporary_folder().status == "note"
    monkeypatch.setattr(findings, "ZONE", "Mars/Base")
    assert findings._time_zones().status == "problem"
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert findings._java().status == "note"
    assert 'version "1.8.0_392"' in findings._java().value
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert findings._java().status == "absent"


def test_the_command_begins_where_a_library_is_broken(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ordercycle._cli.app", None)
    monkeypatch.setattr(sys, "argv", ["ordercycle", "doctor", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0  # all else is sound
    assert json.loads(capsys.readouterr().out)["usable"]
    monkeypatch.setattr(sys, "argv", ["ordercycle", "profile"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "`ordercycle doctor` says what is wrong" in capsys.readouterr().err


def test_without_pyarrow_the_doctor_still_works(tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError('no pyarrow here')")
    places = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "ordercycle", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": places},
    )
    assert done.returncode == 1, done.stderr
    assert "cannot be imported: no pyarrow here" in done.stdout
    assert "Traceback" not in done.stderr
