"""Run the command line with ``python -m ordercycle``."""

from ordercycle._cli import main

if __name__ == "__main__":
    main()
