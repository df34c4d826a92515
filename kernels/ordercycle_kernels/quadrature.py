"""Integrals over a horizon, right to ten digits however long it is.

Nodes of Gauss and Legendre over a whole horizon miss what happens at its start. It is cut into
panels that grow with the distance from there: as wide at first as the integrand needs, then each
as wide as what lies before it, but no wider than `WIDEST` (in logarithms of time).
"""

from __future__ import annotations

from ordercycle_kernels._jit import helper

GAUSS = 16
#: Nodes on one side, and their weights.
NODES = (
    0.98940093499164993,
    0.94457502307323258,
    0.86563120238783174,
    0.75540440835500303,
    0.61787624440264375,
    0.45801677765722739,
    0.28160355077925891,
    0.09501250983763744,
)
WEIGHTS = (
    0.027152459411754095,
    0.062253523938647893,
    0.095158511682492785,
    0.12462897125553387,
    0.14959598881657673,
    0.16915651939500254,
    0.18260341504492359,
    0.1894506104550685,
)
WIDEST = 0.7


@helper
def gauss_node(node: int) -> tuple[float, float]:
    """Return a node, between -1 and 1, and its weight."""
    if node < GAUSS // 2:
        return -NODES[node], WEIGHTS[node]
    return NODES[GAUSS - 1 - node], WEIGHTS[GAUSS - 1 - node]


@helper
def end_of_panel(start: float, first: float, growth: float, end: float) -> float:
    """Return where a panel ends that starts there, the first being so wide."""
    width = first if start == 0.0 else (growth - 1.0) * start
    return min(start + min(width, WIDEST), end)
