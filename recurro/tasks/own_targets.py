"""What all models share whose targets are the very items they read."""

from __future__ import annotations

from typing import Any, Self

from recurro.data.sequences import Targets
from recurro.tasks.sequence import Data, SequenceEstimator
from recurro.train import Progress

__all__ = ["OwnTargets"]


class OwnTargets(SequenceEstimator):
    """A model that learns of items alone, such as what comes next, or to draw them.

    There is no ``y``: what is told of an item is made of it.
    """

    def fit(  # pyright: ignore[reportIncompatibleMethodOverride] (the targets are X)
        self,
        X: Data,
        y: object = None,
        *,
        valid: Data | None = None,
        test: Data | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from items.

        Args:
            X: The items.
            y: Nothing; scikit-learn passes it.
            valid: Items that choices (the best epoch) are made on; without them a
                share ``held_out`` of the others.
            test: Items that the model and its baselines are scored on at the end.
            progress: Shown how training goes.

        Raises:
            DataError: If an item cannot be used; it is named.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        chosen, last = (
            None if items is None else (items, items) for items in (valid, test)
        )
        return super().fit(X, X, valid=chosen, test=last, progress=progress)

    def _learn_targets(self, y: Any) -> Targets:  # noqa: ANN401
        return self._targets(y)

    def evaluate(self, X: Data, y: object = None) -> dict[str, float]:
        """The figures of items.

        Args:
            X: The items.
            y: Nothing; scikit-learn passes it.

        Raises:
            DataError: If an item cannot be used.
        """
        return super().evaluate(X, X)
