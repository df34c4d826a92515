"""Examples of public objects are looked for where users find these: loaded, each is there."""

import ordercycle

for name in ordercycle.__all__:
    getattr(ordercycle, name)
