"""A cell of one's own: write its equations, train it, run it a step at a time.

The task: give back what was read a few steps ago. ``python examples/own_cell.py``
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from recurro import Cell, Recurrent
from recurro.cells.ops import sigmoid, tanh


@dataclass(frozen=True)
class Settings:
    hidden_size: int = 32
    delay: int = 3
    length: int = 40
    batch_size: int = 32
    learning_rate: float = 0.01
    steps: int = 400
    seed: int = 0


class Blend(Cell):
    """A gate z that blends what is kept with what is new."""

    state = ("h",)

    def step(self, x, h):
        z = sigmoid(self.affine("z", x, h))  # W_z x_t + U_z h_{t-1} + b_z
        n = tanh(self.affine("n", x, h))  # W_n x_t + U_n h_{t-1} + b_n
        return (1 - z) * h + z * n


def main(steps: int | None = None) -> None:
    settings = Settings()
    torch.manual_seed(settings.seed)
    layer = Recurrent(Blend(), input_size=1, hidden_size=settings.hidden_size)
    head = nn.Linear(settings.hidden_size, 1)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, settings.learning_rate)

    steps = steps or settings.steps
    for step in range(1, steps + 1):
        x = torch.rand(settings.length, settings.batch_size, 1) - 0.5
        y, _ = layer(x)
        late = head(y)[settings.delay :]
        loss = nn.functional.mse_loss(late, x[: -settings.delay])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 1 or step % 100 == 0 or step == steps:
            print(f"step {step:4}  mean squared error {loss.item():.5f}")

    # The same layer, one step at a time: the state goes in and comes out.
    state = None
    with torch.no_grad():
        for value in [0.4, -0.3, 0.2, -0.1, 0.0, 0.0, 0.0]:
            y, state = layer(torch.full((1, 1, 1), value), state)
            print(f"read {value:5.2f}, said {head(y).item():5.2f}")


if __name__ == "__main__":
    main()
