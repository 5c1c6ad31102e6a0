"""The command line as ``python -m recurro``, also under ``torchrun -m recurro``."""

from __future__ import annotations

from recurro.cli.main import main

if __name__ == "__main__":
    main()
