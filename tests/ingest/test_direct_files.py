"""Files without a name: what is written is read, with and without the system's page cache."""

import errno
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordercycle._ingest import direct_files
from ordercycle._ingest.direct_files import ALIGNMENT, UnnamedFile, aligned, room_for


def read(file, start, size):
    return file.read(start, size, aligned(np.empty(room_for(size) + ALIGNMENT, np.uint8)))


@pytest.mark.parametrize("way", ["as it comes", "no such way", "refused when writing"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(0, 3 * ALIGNMENT), min_size=1, max_size=5),
    cuts=st.tuples(st.integers(0, 3 * ALIGNMENT), st.integers(0, 3 * ALIGNMENT)),
)
def test_parts_of_arrays_come_back(tmp_path_factory, way, sizes, cuts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct_files, "PIECE_BYTES", 2 * ALIGNMENT)
        if way == "no such way":
            patch.delattr(os, "O_DIRECT", raising=False)
        folder = tmp_path_factory.mktemp("spill")
        file = UnnamedFile(str(folder))
        if way == "refused when writing":
            write, refusals = os.pwrite, [OSError(errno.EINVAL, "no direct writes")]

            def refuse_once(*arguments):
                if refusals and file._is_direct:
                    raise refusals.pop()
                return write(*arguments)

            patch.setattr(os, "pwrite", refuse_once)
        random = np.random.default_rng(3)
        arrays = [random.integers(0, 256, size, np.uint8) for size in sizes]
        starts = [file.append(array) for array in arrays]
        assert all(start % ALIGNMENT == 0 for start in starts)
        for start, array in zip(starts, arrays, strict=True):
            first, last = sorted(min(cut, array.size) for cut in cuts)
            assert np.array_equal(read(file, start + first, last - first), array[first:last])
        assert os.listdir(folder) == []


def test_other_errors_of_the_system_are_not_swallowed(tmp_path, monkeypatch):
    file = UnnamedFile(str(tmp_path))

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="no space left"):
        file.append(np.zeros(10, np.uint8))


def test_a_file_that_was_cut_off_is_noticed(tmp_path):
    file = UnnamedFile(str(tmp_path))
    start = file.append(np.ones(3 * ALIGNMENT, np.uint8))
    os.ftruncate(file._stream.fileno(), ALIGNMENT)
    with pytest.raises(OSError, match="cut off"):
        read(file, start, 2 * ALIGNMENT)
