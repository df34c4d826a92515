"""Run the command line with ``python -m ordercycle.cli``."""

from ordercycle.cli import main

if __name__ == "__main__":
    main()
