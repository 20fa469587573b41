"""The program ``psmodel``, also as ``python -m psmodel``."""

import sys


def main() -> None:
    """Run the command line; an interrupt while it is being loaded is one as any other."""
    try:
        from psmodel.cli import main as command_line
    except KeyboardInterrupt:
        print("Error: Interrupted", file=sys.stderr)
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
