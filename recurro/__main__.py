"""The command ``recurro``, also as ``python -m recurro`` and under ``torchrun``."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line of this process.

    Ctrl-C ends it at once with exit code 130, also amid imports, which an exception
    would leave half done; where there is something to save, commands heed it themselves
    (``recurro.cli.running.interruptible``).
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from recurro.cli.main import main as run

    run()


def _leave(*_: object) -> NoReturn:
    os.write(2, b"recurro: stopped.\n")
    os._exit(130)


if __name__ == "__main__":
    main()
