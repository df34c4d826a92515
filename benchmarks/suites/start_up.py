"""What a fresh process pays: import, compilation, and loading compiled code from the cache.

Every sample is a process of its own (`timeraw_`), so nothing is warm that should not be.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

_USE_CACHE = "import os; os.environ['ORDERCYCLE_CACHE_DIR'] = {!r}"
_EMPTY_CACHE = """
import os, tempfile
cache = tempfile.TemporaryDirectory()  # removed as the process ends
os.environ["ORDERCYCLE_CACHE_DIR"] = cache.name
"""
_FIRST_RESULT = """
import datetime, pyarrow, ordercycle
orders = pyarrow.table({
    "customer_id": [1, 1, 2],
    "ordered_at": [datetime.datetime(2025, 1, day) for day in (1, 5, 9)],
    "amount": [10.0, 20.0, 30.0],
})
history = ordercycle.OrderHistory.build(orders)
ordercycle.Lifecycle().assign(history.profile("2025-02-01"))
"""
_WARM_UP = "import ordercycle; ordercycle.warmup()"


class Import:
    number = 1
    repeat = (3, 10, 20.0)

    def timeraw_import(self):
        return "import ordercycle"


class Compile:
    """The cache is empty: every kernel is compiled."""

    number = 1
    repeat = (1, 2, 60.0)
    timeout = 300

    def timeraw_first_result(self):
        return _FIRST_RESULT, _EMPTY_CACHE

    def timeraw_every_kernel(self):
        return _WARM_UP, _EMPTY_CACHE


class CachedLoad:
    """The cache is full: kernels are read from disk, none is compiled."""

    number = 1
    repeat = (3, 10, 20.0)
    timeout = 300

    def setup_cache(self):
        # asv runs this in a directory that it keeps until the suite's last benchmark is done.
        directory = tempfile.mkdtemp(dir=Path.cwd())
        fill = f"{_USE_CACHE.format(directory)}\n{_WARM_UP}\n{_FIRST_RESULT}"
        subprocess.run([sys.executable, "-c", fill], check=True)
        return directory

    def timeraw_first_result(self, directory):
        return _FIRST_RESULT, _USE_CACHE.format(directory)

    def timeraw_every_kernel(self, directory):
        return _WARM_UP, _USE_CACHE.format(directory)
