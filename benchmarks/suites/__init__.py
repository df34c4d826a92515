"""Benchmarks for asv. The order tables come from `benchmarks.peers.generate`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
