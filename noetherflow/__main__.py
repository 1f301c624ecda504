"""Run the command line as `python -m noetherflow`."""

from __future__ import annotations

from noetherflow._cli import main


if __name__ == "__main__":
    main(prog_name="noetherflow")
