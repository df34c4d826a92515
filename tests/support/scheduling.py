"""Which tests a worker takes together, where several run them (pytest -n)."""

import pytest
from xdist.scheduler import LoadFileScheduling

#: Files of one Spark session, which takes several Java processes on every worker that starts it.
OF_SPARK = frozenset(
    f"test_{name}.py"
    for name in (
        "spark",
        "lakes",
        "options",
        "spark_files",
        "spark_streams",
        "spark_streaming",
        "spark_workers",
        "stores_in_tasks",
    )
)


def needs_spark(item: pytest.Item) -> bool:
    """Return whether a test takes the Spark session."""
    return "session" in getattr(item, "fixturenames", ())


class FilesAndSpark(LoadFileScheduling):
    """A file is one worker's, and the files that need Spark are all the same one's."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        folder, _, name = file.rpartition("/")
        return "Spark" if folder.endswith("engines") and name in OF_SPARK else file
