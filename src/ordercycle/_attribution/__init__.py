"""Attribution: which touches orders are credited to."""
