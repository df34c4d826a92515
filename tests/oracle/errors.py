"""The refusals of the oracle, named like the library's own."""


class ConfigError(ValueError):
    """The options contradict each other."""


class DataError(ValueError):
    """A value that no number may be made from."""
