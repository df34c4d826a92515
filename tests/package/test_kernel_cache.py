"""The kernel cache never serves stale, foreign or broken code, and never stands in the way."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ordercycle as oc
from ordercycle import _warm_up
from ordercycle._demo.stages import LONGEST_COMPILED
from ordercycle_kernels import _cache

#: One kernel is enough: a fresh process compiles or loads it, and says which.
PROBE = """
import numpy as np
from ordercycle_kernels import hashing
out = np.empty(2, np.uint64)
hashing.hash_integers(np.array([1, 2]), out)
print(sum(hashing.hash_integers.callable().stats.cache_hits.values()), out.tolist())
"""
#: The first outputs of SplitMix64 for the seeds 1 and 2.
EXPECTED = "[10451216379200822465, 10905525725756348110]"


def loads(directory, **environment):
    """Hash two integers in a fresh process; return whether it found its code in the cache."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "ORDERCYCLE_CACHE_DIR": str(directory), **environment},
    )
    hits, _, value = result.stdout.strip().partition(" ")
    assert value == EXPECTED
    return hits == "1"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """A cache with the kernel, which a process compiled."""
    directory = tmp_path_factory.mktemp("compiled")
    assert not loads(directory)
    return directory


@pytest.fixture
def cache(compiled, tmp_path):
    """Return a copy of it, that a test can spoil."""
    directory = tmp_path / "cache"
    shutil.copytree(compiled, directory)
    return directory


def files(directory):
    return sorted(directory.rglob("*.bin"))


def test_the_second_process_loads_what_the_first_compiled(compiled):
    assert loads(compiled)


def test_loading_leaves_the_compiler_alone_until_something_is_compiled(compiled):
    """And all that code which was loaded needs of Numba is there without it."""
    code = PROBE + (
        "import sys, numba\n"
        "print('numba.np.arraymath' in sys.modules)\n"
        "print(numba.njit(lambda values: values.sum())(np.arange(4.0)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "ORDERCYCLE_CACHE_DIR": str(compiled)},
    )
    assert result.stdout.split("\n")[1:3] == ["False", "6.0"]


def test_warm_up_fills_the_cache_and_nothing_in_it_needs_the_compiler():
    """In the cache of all these tests, as all kernels take two minutes of a core to compile.

    A symbol that only Numba's compiler brings would be missing here, and nowhere else.
    """
    made = oc.warmup()
    code = (
        "import sys, ordercycle as oc\n"
        "from ordercycle_kernels._jit import REGISTRY\n"
        "made = oc.warmup()\n"
        "hits = [kernel.callable().stats.cache_hits.values() for kernel in REGISTRY.values()]\n"
        "print(made.kernels, len(REGISTRY), sum(map(sum, hits)), made.directory)\n"
        "print('numba.np.arraymath' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    kernels = str(made.kernels)
    assert result.stdout.split() == [*[kernels] * 3, str(made.directory), "False"]


def test_other_processes_compile_while_this_one_works(tmp_path, monkeypatch):
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(tmp_path))
    name = "hashing.hash_integers"
    until = time.monotonic() + 60
    with _warm_up.compiling_ahead([name], 2):
        while not _cache.holds([name]) and time.monotonic() < until:
            time.sleep(0.05)
    assert [path.stem for path in files(tmp_path)] == [name]
    assert loads(tmp_path)


def test_nobody_helps_where_nothing_would_be_left(cache, tmp_path, monkeypatch):
    def refused(names):
        raise AssertionError(names)

    monkeypatch.setattr(_warm_up, "_started", refused)
    name = "hashing.hash_integers"
    for directory, threads in (("off", 2), (tmp_path, 1)):
        monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(directory))
        with _warm_up.compiling_ahead([name], threads):
            pass
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(cache))
    with _warm_up.compiling_ahead([name], 2):  # it is there
        pass


def test_many_cores_do_not_bring_many_helpers(monkeypatch, tmp_path):
    class Started:
        def terminate(self):
            pass

        wait = terminate

    given = []
    monkeypatch.setattr(_warm_up, "_started", lambda names: given.append(names) or Started())
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(tmp_path))
    with _warm_up.compiling_ahead(["hashing.hash_integers"], 96):
        pass
    assert len(given) == _warm_up.MOST_HELPERS


def test_helpers_begin_in_different_places(monkeypatch, tmp_path):
    given = []

    class Started:
        def terminate(self):
            pass

        wait = terminate

    def started(names):
        given.append("".join(names))
        return Started()

    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_warm_up, "_started", started)
    with _warm_up.compiling_ahead("abcdef", 4):
        pass
    assert given == ["fedcba", "cbafed", "edcbaf"]


def test_the_kernels_of_the_demo_are_there():
    assert set(LONGEST_COMPILED) <= set(_warm_up.declared_kernels())


@pytest.mark.parametrize("damage", ["truncate", "empty", "flip", "garbage"])
def test_a_broken_file_is_compiled_again(cache, damage):
    (path,) = files(cache)
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    path.write_bytes(
        {
            "truncate": content[: len(content) // 2],
            "empty": b"",
            "flip": bytes(flipped),
            "garbage": os.urandom(1000),
        }[damage]
    )
    assert not loads(cache)
    assert loads(cache)


def test_where_nothing_can_be_written_code_lives_in_memory(tmp_path):
    file = tmp_path / "a_file"
    file.touch()
    for directory in (file / "below", file / "below", "off", "off", ""):
        assert not loads(directory)
    assert not files(tmp_path)


def test_a_process_without_a_home_works(tmp_path):
    (tmp_path / "a_file").touch()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("XDG_CACHE_HOME", "ORDERCYCLE_CACHE_DIR")
    }
    result = subprocess.run(
        [sys.executable, "-c", PROBE],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "HOME": str(tmp_path / "a_file" / "below")},
    )
    assert result.stdout.strip() == f"0 {EXPECTED}"


def test_a_directory_that_others_can_write_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.delenv("ORDERCYCLE_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache.cache_directory() == tmp_path / "ordercycle"
    (tmp_path / "ordercycle").mkdir()
    (tmp_path / "ordercycle").chmod(0o777)
    assert _cache.cache_directory() is None


#: A cache file's payload that leaves a trace where it is loaded.
LEAVES_A_TRACE = """
import pickle, sys
class Trace:
    def __reduce__(self):
        return (open, (sys.argv[1], "w"))
sys.stdout.buffer.write(pickle.dumps(Trace()))
"""


def planted(directory, trace):
    """Put code of somebody else's into the only file of a cache, with its checksum made right."""
    (path,) = files(directory)
    payload = subprocess.run(
        [sys.executable, "-c", LEAVES_A_TRACE, str(trace)], capture_output=True, check=True
    ).stdout
    from ordercycle_kernels import hashing

    kernel = hashing.hash_integers
    path.write_bytes(_cache.KernelCache(kernel.name, kernel.signature)._checksum(payload) + payload)
    return path


@pytest.mark.parametrize("open_to_all", ["directory", "folder", "file"])
def test_code_that_others_can_have_put_there_is_not_run(cache, tmp_path, open_to_all):
    trace = tmp_path / "trace"
    path = planted(cache, trace)
    {"directory": cache, "folder": path.parent, "file": path}[open_to_all].chmod(0o777)
    assert not loads(cache)
    assert not trace.exists()


def test_code_is_run_from_a_directory_that_is_trusted_by_name(cache):
    cache.chmod(0o777)
    assert not loads(cache)
    assert loads(cache, ORDERCYCLE_CACHE_TRUSTED="1")


def test_a_directory_that_others_can_write_is_warned_of_once(tmp_path, monkeypatch):
    tmp_path.chmod(0o777)
    monkeypatch.setenv("ORDERCYCLE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_cache, "_WARNED", set())
    with pytest.warns(RuntimeWarning, match="ORDERCYCLE_CACHE_TRUSTED=1") as caught:
        assert [_cache.cache_directory() for _ in range(2)] == [None, None]
    assert len(caught) == 1
    monkeypatch.setenv("ORDERCYCLE_CACHE_TRUSTED", "1")
    assert _cache.cache_directory() == tmp_path


@pytest.mark.parametrize(
    ("owner", "mode", "trusted"),
    [
        (os.getuid(), 0o700, True),
        (os.getuid(), 0o755, True),
        (0, 0o755, True),
        (os.getuid() + 1, 0o700, False),
        (os.getuid(), 0o770, False),
        (0, 0o757, False),
    ],
)
def test_only_what_is_the_users_own_or_the_systems_is_trusted(owner, mode, trusted):
    found = os.stat_result((0o40000 | mode, 1, 1, 1, owner, 0, 0, 0, 0, 0))
    assert _cache._is_own(found) == trusted


def test_code_of_another_kernel_is_compiled_again(tmp_path):
    """Of the same signature, so that it would run, and give other numbers."""
    code = (
        "import numpy as np\n"
        "from ordercycle_kernels import partition\n"
        "places, out = np.array([1, 0], np.int32), np.zeros(2, np.uint64)\n"
        "for kernel in (partition.gather, partition.scatter):\n"
        "    kernel['uint64'](np.array([10, 20], np.uint64), places, out)\n"
        "    print(out.tolist(), sum(kernel['uint64'].callable().stats.cache_hits.values()))\n"
    )

    def run():
        environment = {**os.environ, "ORDERCYCLE_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", code]
        result = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment
        )
        return [line.rpartition(" ") for line in result.stdout.splitlines()]

    before = [value for value, _, _ in run()]
    gather, scatter = files(tmp_path)
    gather.rename(tmp_path / "kept")
    scatter.rename(gather)
    (tmp_path / "kept").rename(scatter)
    after = run()
    assert [value for value, _, _ in after] == before
    assert [hits for _, _, hits in after] == ["0", "0"]
    assert [hits for _, _, hits in run()] == ["1", "1"]


def test_nobody_waits_for_a_pipe_in_the_place_of_code(cache):
    (path,) = files(cache)
    path.unlink()
    os.mkfifo(path)
    assert not loads(cache)


def test_a_permissive_umask_leaves_the_directory_private(tmp_path):
    """The default directory is made by the first process and trusted by the second."""
    environment = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    for hits in ("0", "1"):
        result = subprocess.run(
            [sys.executable, "-c", "import os; os.umask(0o002)" + PROBE],
            capture_output=True,
            text=True,
            check=True,
            env={**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        )
        assert result.stdout.strip() == f"{hits} {EXPECTED}"
    assert (tmp_path / "cache" / "ordercycle").stat().st_mode & 0o777 == 0o700


def test_settings_that_change_the_code_have_their_own_files(cache):
    assert not loads(cache, NUMBA_BOUNDSCHECK="1")
    assert len(files(cache)) == 2
    assert not loads(cache, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert len(files(cache)) == 3


def test_a_change_in_any_kernel_source_is_a_new_key(tmp_path):
    """A copy of the package with one more comment in a module that the kernel never names."""
    copy = tmp_path / "copy"
    shutil.copytree(Path(_cache.__file__).parent, copy / "ordercycle_kernels")
    cache = tmp_path / "cache"
    environment = {"PYTHONPATH": str(copy)}
    assert not loads(cache, **environment)
    assert loads(cache, **environment)
    with (copy / "ordercycle_kernels" / "median.py").open("a") as source:
        source.write("# changed\n")
    assert not loads(cache, **environment)


def test_many_processes_start_cold_at_once(tmp_path):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: loads(tmp_path), range(6)))
    assert len(files(tmp_path)) == 1
    assert loads(tmp_path)
    assert not list(tmp_path.rglob("*.part"))
