"""`python -m psmodel` is the command `psmodel`."""

from psmodel.cli import main

if __name__ == "__main__":
    main()
