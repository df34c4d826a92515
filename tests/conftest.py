"""Settings of every test."""

from hypothesis import HealthCheck, settings

# The first example of a test may compile a kernel: no deadline could be both fair and useful.
settings.register_profile(
    "ordercycle", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ordercycle")
