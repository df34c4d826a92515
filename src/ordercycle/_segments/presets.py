"""Lifecycle thresholds with a name, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

from ordercycle._public import public


@public()
@dataclass(frozen=True, kw_only=True)
class LifecyclePreset:
    """Thresholds of the lifecycle segments for a kind of trade.

    Attributes
    ----------
    new_days, active_days, churned_days
        The thresholds, in days.
    published
        Whether a vendor published these numbers; otherwise they were fitted by us.
    source
        Where they come from.
    """

    new_days: int
    active_days: int
    churned_days: int
    published: bool
    source: str


_FITTED = (
    "active_days and churned_days fitted by ordercycle, not published: the smallest days that hold "
    "80 % and 95 % of the gaps between orders, every repeat customer counted once, "
)

LIFECYCLE_PRESETS: dict[str, LifecyclePreset] = {
    "fashion": LifecyclePreset(
        new_days=30,
        active_days=120,
        churned_days=255,
        published=True,
        source=(
            "published by Maestra for fashion (apparel, shoes and accessories): Customer Lifecycle "
            "Segmentation, help.maestra.io/en/articles/11900062"
        ),
    ),
    "grocery": LifecyclePreset(
        new_days=30,
        active_days=16,
        churned_days=56,
        published=False,
        source=_FITTED + "over the baskets of the Complete Journey grocery data (2,469 households)",
    ),
    "music": LifecyclePreset(
        new_days=30,
        active_days=206,
        churned_days=381,
        published=False,
        source=_FITTED + "over the CDNOW master file (23,570 customers who began in early 1997)",
    ),
}
