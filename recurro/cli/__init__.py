"""The command ``recurro``: one file per command, each a thin guest of the library."""
