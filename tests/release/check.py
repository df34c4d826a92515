"""Releases as their users meet them: built, installed into clean environments, and tried there.

    python tests/release/check.py                                   # this Python, the wheel
    python tests/release/check.py --python python3.11 python3.13    # several
    python tests/release/check.py --kinds wheel sdist               # both
    python tests/release/check.py --lowest                          # the oldest libraries allowed
    python tests/release/check.py --dist FOLDER                     # those that are there
    python tests/release/check.py --kernels FOLDER                  # keep what was compiled
    python tests/release/check.py --json runs.jsonl                 # what was found, a line each
    python tests/release/check.py --table runs.jsonl                # the latest of each, as a table

Lines name their build; of each environment, the table has that which was tried last, alone.

The wheel comes from the sdist, so that both are whole. In each environment run the demo,
`ordercycle doctor`, and a slice of the tests against what was installed, not against this tree.
Compiled kernels are shared by the environments, which find those of their versions only.
"""

import argparse
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What a slice of the tests needs, but for the rooms' own servers and frames.
TESTS = (
    "mpmath>=1.3",
    "hypothesis>=6.100",
    "pandas>=2.2",
    "polars>=1.20",
    "pytest>=8.2",
    "pytest-xdist>=3.6",
)
#: Rooms that touch what differs between versions: Arrow's arrays, NumPy's dates, Numba's types.
SLICE = (
    "tests/datasets/test_generated_orders.py",
    "tests/membership",
    "tests/value_models",
    "tests/history/test_against_oracle.py",
    "tests/package/test_kernel_cache.py",
)
CHECKS = ("install", "doctor", "demo", "tests")
#: Kinds of artefacts, with how their files end.
ENDS = {"wheel": "whl", "sdist": "tar.gz"}
KINDS = tuple(ENDS)
#: Digits that tell builds apart.
DIGITS = 12
#: Libraries whose versions are shown, and whose lowest ones `--lowest` installs.
SHOWN = ("numba", "numpy", "pyarrow")
#: Versions that are the first for a Python, where that is newer than the lowest allowed.
FIRST = {("3.13", "numpy"): "2.1"}


def say(line):
    """Write a line at once: a check takes minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def lowest(python):
    """Return the core dependencies at the lowest versions that there are for a Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = []
    for asked in project["dependencies"]:
        name, least = re.match(r"([\w.-]+)>=([\d.]+)", asked).groups()
        found.append(f"{name}=={FIRST.get((python, name), least)}.*")
    return found


def build(folder):
    """Make the sdist, and the wheel of it; return where they are."""
    maker = environment(folder / "maker", sys.executable)
    run([maker, "-m", "pip", "install", "-q", "build"])
    run([maker, "-m", "build", "--outdir", folder / "dist", ROOT])
    return folder / "dist"


def artefacts_of(dist):
    """Return the sdist and the wheel of a folder, by kind; end where there is not one of each."""
    found = {kind: sorted(dist.glob(f"*.{end}")) for kind, end in ENDS.items()}
    for kind, files in found.items():
        if not files:
            sys.exit(
                f"{dist} has no {kind} (*.{ENDS[kind]}): one build has both; make them with "
                f"python -m build --outdir {dist}"
            )
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            sys.exit(f"{dist} has {len(files)} {kind}s ({names}): leave those of one build")
    return {kind: file.resolve() for kind, (file,) in found.items()}


def build_of(artefacts):
    """Return what tells one build from another: a hash of its files."""
    both = hashlib.sha256()
    for kind in KINDS:
        both.update(hashlib.sha256(artefacts[kind].read_bytes()).digest())
    return both.hexdigest()[:DIGITS]


def environment(place, python):
    """Make a clean environment of a Python; return its own."""
    if python == sys.executable:
        venv.create(place, with_pip=True)
    else:
        run([python, "-m", "venv", place])
    return place / ("Scripts" if os.name == "nt" else "bin") / "python"


def run(command, **options):
    """Run a command; what it wrote is shown where it fails."""
    done = subprocess.run(
        list(map(str, command)), check=False, capture_output=True, text=True, **options
    )
    if done.returncode != 0:
        shown = " ".join(map(str, command))
        raise RuntimeError(
            f"{shown}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def checks(python, artefact, constraints, kernels):
    """Yield what is tried in an environment, as (name, function that returns a remark)."""
    folder = python.parents[1]
    program = python.with_name("ordercycle")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    clean["ORDERCYCLE_CACHE_DIR"] = str(kernels)
    options = {"cwd": folder, "env": clean}

    def install():
        run([python, "-m", "pip", "install", "-q", f"{artefact}[demo]", *constraints], **options)
        asked = f"import json; {''.join(f'import {name}; ' for name in SHOWN)}"
        asked += f"print(json.dumps([m.__version__ for m in ({', '.join(SHOWN)})]))"
        versions = json.loads(run([python, "-c", asked], **options))
        return ", ".join(f"{name} {one}" for name, one in zip(SHOWN, versions, strict=True))

    def doctor():
        told = json.loads(run([program, "doctor", "--json"], **options))
        notes = [one["name"] for one in told["checks"] if one["status"] == "note"]
        return f"notes: {', '.join(notes)}" if notes else "no notes"

    def demo():
        run([program, "demo"], **options)
        sizes = [path.stat().st_size for path in sorted(folder.glob("ordercycle-demo.*"))]
        return f"{len(sizes)} files, {sum(sizes):,} bytes"

    def tests():
        install = [python, "-m", "pip", "install", "-q", "--no-compile"]
        run([*install, *TESTS, *constraints], **options)
        # Beside the package's sources, pytest would find those instead of what was installed.
        copied = folder / "tree"
        copied.mkdir()
        for name in ("tests", "pyproject.toml"):
            run(["cp", "-r", ROOT / name, copied / name])
        command = [
            python,
            "-m",
            "pytest",
            "-q",
            "--hypothesis-profile=brief",
            "-p",
            "no:cacheprovider",
        ]
        told = run([*command, *SLICE], cwd=copied, env=clean)
        return told.strip().splitlines()[-1].strip("= ")

    yield from (("install", install), ("doctor", doctor), ("demo", demo), ("tests", tests))


def tried(name, python, artefact, constraints, folder, kernels, asked):
    """Try an artefact in an environment of its own; yield what was found, by check."""
    own = environment(folder / re.sub(r"\W+", "-", name), python)
    for what, check in checks(own, artefact, constraints, kernels):
        if what not in asked:
            continue
        begun = time.monotonic()
        try:
            remark, passed = check(), True
        except (RuntimeError, ValueError) as error:
            remark, passed = str(error), False
        seconds = round(time.monotonic() - begun)
        yield what, {"passed": passed, "seconds": seconds, "found": remark}
        result = "ok" if passed else "FAILED"
        say(f"| {name} | {what} | {result} | {seconds} s | {remark} |")
        if not passed and what == "install":
            break


def table(runs):
    """Return a row for each environment: what was found there of the build that came last.

    Whatever was checked before an environment was made anew is of another one, of that build, too.
    """
    latest = {}
    for run in runs:
        name, build, checked = run["environment"], run["build"], run["checks"]
        if name not in latest or latest[name][0] != build or "install" in checked:
            latest[name] = (build, {})
        latest[name][1].update(checked)
    lines = [
        f"| environment | build | libraries | {' | '.join(CHECKS)} |",
        f"|---|---|---|{'---|' * len(CHECKS)}",
    ]
    for name, (build, found) in sorted(latest.items()):
        cells = [_cell(found.get(what), what) for what in CHECKS]
        install = found.get("install", {"passed": False})
        libraries = install["found"] if install["passed"] else ""
        lines.append(f"| {name} | {build} | {libraries} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(check, what):
    if check is None:
        return "not run"
    if not check["passed"]:
        return "FAILED"
    return check["found"].partition(" in ")[0] if what == "tests" else "ok"


def main():
    """Build, try, and end with 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", nargs="+", default=[sys.executable], metavar="PROGRAM")
    parser.add_argument("--lowest", action="store_true", help="with the oldest core libraries")
    parser.add_argument("--checks", nargs="+", default=CHECKS, choices=CHECKS)
    parser.add_argument("--kinds", nargs="+", default=KINDS[:1], choices=KINDS)
    parser.add_argument(
        "--dist", type=Path, metavar="FOLDER", help="where sdist and wheel are, built before"
    )
    parser.add_argument(
        "--kernels", type=Path, metavar="FOLDER", help="where compiled kernels are, and are kept"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="add what was found to a file")
    parser.add_argument("--table", type=Path, metavar="FILE", help="only show what a file has")
    given = parser.parse_args()
    if given.table is not None:
        say(table(map(json.loads, given.table.read_text(encoding="utf-8").splitlines())))
        return
    has_passed = True
    with tempfile.TemporaryDirectory(prefix="release-") as made:
        folder = Path(made)
        artefacts = artefacts_of(given.dist or build(folder))
        made_of = build_of(artefacts)
        say("| environment | check | result | time | found |\n|---|---|---|---|---|")
        for python, kind in itertools.product(given.python, given.kinds):
            asked = "import platform; print(platform.python_version())"
            version = run([python, "-c", asked]).strip()
            constraints = lowest(version.rpartition(".")[0]) if given.lowest else []
            name = f"Python {version}, {kind}{', lowest' if given.lowest else ''}"
            places = (folder, given.kernels or folder / "kernels")
            found = tried(name, python, artefacts[kind], constraints, *places, given.checks)
            for what, check in found:
                has_passed &= check["passed"]
                if given.json is not None:  # at once, so that an end loses nothing
                    with given.json.open("a", encoding="utf-8") as file:
                        line = {"environment": name, "build": made_of, "checks": {what: check}}
                        file.write(json.dumps(line) + "\n")
    sys.exit(not has_passed)


if __name__ == "__main__":
    main()
