"""The exceptions of recurro, one tree.

::

    RecurroError
    ├── ArgumentError (ValueError)        an argument is out of its range
    ├── ShapeError (RuntimeError)         a tensor has the wrong shape, type or device
    ├── TraceError (TypeError)            a cell's step does what the language lacks
    ├── BackendError (RuntimeError)       the asked-for backend cannot run this
    ├── ConfigError (ValueError)          a setting is unknown or has a wrong value
    │   └── SettingError                  the same, knowing the name of the setting
    ├── DataError (ValueError)            a file or text cannot be used as data
    │   ├── ItemError                     one item of a list, knowing its number
    │   └── VocabularyError               a symbol or word is not in the vocabulary
    ├── RunError (RuntimeError)           a run folder cannot be read or written
    ├── DivergenceError (ArithmeticError) training exploded and did not come back
    └── MissingExtraError (ImportError)   an optional package is not installed

Each message is one sentence of the form *where: what must hold, what came. What to
do.* The command line prints it as one line and exits with code 2.
"""


class RecurroError(Exception):
    """The root: catch it to catch every error that recurro raises on purpose."""


class ArgumentError(RecurroError, ValueError):
    """An argument is out of its range."""


class ShapeError(RecurroError, RuntimeError):
    """A tensor has the wrong shape, type or device."""


class TraceError(RecurroError, TypeError):
    """A cell's step does something that the language of equations lacks."""


class BackendError(RecurroError, RuntimeError):
    """The asked-for backend cannot run this cell or this call."""


class ConfigError(RecurroError, ValueError):
    """A setting is unknown or has a value of the wrong kind."""


class SettingError(ConfigError):
    """A setting is unknown or has a wrong value; whoever took it can say from where.

    Args:
        owner: Whose setting it is.
        key: Its name.
        fault: What must hold, what came, what to do.

    Attributes:
        owner, key, fault: As given.
    """

    def __init__(self, owner: str, key: str, fault: str) -> None:
        super().__init__(f"{owner}: '{key}' {fault}")
        self.owner, self.key, self.fault = owner, key, fault


class DataError(RecurroError, ValueError):
    """A file or a text cannot be used as data."""


class ItemError(DataError):
    """An item of a list cannot be used; whoever read it can say where it stands.

    Args:
        owner: What the items are.
        item: Its number, from 0.
        fault: What must hold, what came, what to do.
        step: The step of the item that is wrong, if it is one.
        channel: The channel of that step, if it is one.

    Attributes:
        owner, item, fault, step, channel: As given.
        tested: Whether it is one to test on at the end of a training.
    """

    def __init__(
        self,
        owner: str,
        item: int,
        fault: str,
        *,
        step: int | None = None,
        channel: int | None = None,
    ) -> None:
        places = (("item", item), ("step", step), ("channel", channel))
        at = ", ".join(f"{name} {n}" for name, n in places if n is not None)
        super().__init__(f"{owner}: {at} {fault}")
        self.owner, self.item, self.fault = owner, item, fault
        self.step, self.channel, self.tested = step, channel, False

    def stand(self, place: str) -> None:
        """Name a place in a file instead of the number."""
        self.args = (f"{self.owner}: {place} {self.fault}",)


class VocabularyError(DataError):
    """A symbol or word is not in the vocabulary."""


class RunError(RecurroError, RuntimeError):
    """A run folder cannot be read or written."""


class DivergenceError(RecurroError, ArithmeticError):
    """Training exploded and did not come back."""


class MissingExtraError(RecurroError, ImportError):
    """An optional package is not installed; the message says how to install it."""
