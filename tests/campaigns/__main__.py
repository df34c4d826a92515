"""Campaigns: `python tests/campaigns NAME --seconds 600`, or `--list`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from campaigns.runner import main  # noqa: E402 - found by the line above

main()
