"""Spill files: parts of arrays come back, errors of the system are typed, nothing stays."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ordercycle as oc
from ordercycle._ingest.spill_file import SpillFile

ITEMS = ("uint8", "int32", "float64")


@settings(max_examples=40, deadline=None)
@given(
    arrays=st.lists(st.tuples(st.sampled_from(ITEMS), st.integers(0, 5_000)), max_size=5),
    cuts=st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)),
    at_once=st.sampled_from([1, 777, 2**20]),
)
def test_parts_of_arrays_come_back(tmp_path_factory, arrays, cuts, at_once):
    folder = tmp_path_factory.mktemp("spill")
    random = np.random.default_rng(3)
    values = [random.integers(0, 256, size).astype(item) for item, size in arrays]
    file = SpillFile(str(folder))
    with pytest.MonkeyPatch.context() as patch:
        write, read = os.pwrite, os.preadv
        patch.setattr(os, "pwrite", lambda fd, view, at: write(fd, view[: at_once * 40], at))
        patch.setattr(os, "preadv", lambda fd, views, at: read(fd, [views[0][: at_once * 40]], at))
        spilled = [file.put(array) for array in values]
        for found, array in zip(spilled, values, strict=True):
            first, last = sorted(min(cut, array.size) for cut in cuts)
            assert np.array_equal(found.read(), array)
            assert found.nbytes == array.nbytes
            out = np.empty(last - first, array.dtype)
            assert found.read(slice(first, last), out) is out
            assert np.array_equal(out, array[first:last])
    assert os.listdir(folder) == []


def test_errors_of_the_system_are_typed(tmp_path, monkeypatch):
    file = SpillFile(str(tmp_path))

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(oc.StorageError, match="no space left"):
        file.put(np.zeros(10, np.uint8))


def test_a_file_that_was_cut_off_is_noticed(tmp_path):
    file = SpillFile(str(tmp_path))
    spilled = file.put(np.ones(10_000, np.uint8))
    os.ftruncate(file._stream.fileno(), 5_000)
    with pytest.raises(oc.StorageError, match="cut off"):
        spilled.read(slice(4_000, 6_000))
