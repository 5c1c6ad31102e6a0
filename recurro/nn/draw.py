"""Networks that paint pictures: in strokes one after the other, and at one stroke."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent
from torch.nn.functional import binary_cross_entropy_with_logits

from recurro.nn.recurrent import Recurrent
from recurro.nn.sequence import TargetNetwork, Teller
from recurro.nn.windows import SoftWindow
from recurro.types import Batch, Float

__all__ = ["Autoencoder", "Canvas", "DrawNetwork", "PaintNetwork", "Strokes"]


class Canvas(Teller):
    """The log odds of the pixels before anything is painted, which are learnt.

    Args:
        shape: Height and width of a picture.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.log_odds = nn.Parameter(torch.zeros(shape))

    @torch.no_grad()
    def start(self, targets: Float[Tensor, "items height width"]) -> None:
        """Begin at the mean of each pixel; half a picture is added to both sides."""
        ink = targets.sum(0) + 0.5
        self.log_odds.copy_((ink / (len(targets) + 1 - ink)).log())


@dataclass(frozen=True)
class Strokes:
    """How pictures were painted.

    Attributes:
        canvases: Log odds of the pixels after each step ``(steps, batch, height,
            width)``.
        aims: Where was painted ``(steps, batch, 5)``; see ``SoftWindow``.
        divergence: Nats that tell the painter what to paint ``(batch,)``.
    """

    canvases: Tensor
    aims: Tensor
    divergence: Tensor


class PaintNetwork(TargetNetwork):
    """A variational autoencoder of pictures, whatever it is made of.

    -log P(x) <= -log P(x | z) + KL(Q(z | x) || P(z)), with P(z) standard normal and
    pixels that are independent given z.

    Args:
        shape: Height and width of a picture.
        steps: How often it paints.
        latent: Width of z in each step.

    References:
        Kingma and Welling (2014), arXiv 1312.6114, equation 10.
    """

    def __init__(self, shape: tuple[int, int], steps: int, latent: int) -> None:
        super().__init__()
        self.shape, self.steps, self.latent = shape, steps, latent
        self.head = Canvas(shape)

    @abstractmethod
    def paint(
        self, pictures: Float[Tensor, "batch height width"] | None, z: Tensor
    ) -> Strokes:
        """Paint pictures again, or new ones.

        Args:
            pictures: What is painted; ``None`` for whatever z says.
            z: Standard normal numbers ``(steps, batch, latent)``: with pictures the
                noise of Q(z | x), without them z itself.
        """

    def losses(self, batch: Batch) -> Float[Tensor, " batch"]:
        """A bound on -log P of each picture, in nats."""
        x = batch.targets
        painted = self._paint_again(x)
        logits = painted.canvases[-1]
        cost = binary_cross_entropy_with_logits(logits, x, reduction="none")
        return cost.sum((1, 2)) + painted.divergence

    def distribution(self, batch: Batch) -> Independent:
        """The chances of the pixels of pictures that are painted again."""
        logits = self._paint_again(batch.inputs[0]).canvases[-1]
        return Independent(Bernoulli(logits=logits, validate_args=False), 2)

    def _paint_again(self, pictures: Tensor) -> Strokes:
        noise = torch.randn(
            *(self.steps, len(pictures), self.latent), device=pictures.device
        )
        return self.paint(pictures, noise)


def _drawn(numbers: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Z ~ Q = Normal(mu, sigma^2), and KL(Q || P); from (mu, log sigma) and noise."""
    mu, log_sigma = numbers.chunk(2, dim=1)
    z = mu + log_sigma.exp() * noise
    divergence = (mu.square() + (2 * log_sigma).exp() - 1) / 2 - log_sigma
    return z, divergence.sum(1)


class DrawNetwork(PaintNetwork):
    """A painter that looks, and paints a stroke, in turn.

    x^_t = x - sigmoid(c_{t-1})
    r_t = [read(x), read(x^_t)] by the aim W_r h^dec_{t-1} + b_r
    h^enc_t = encoder([r_t, h^dec_{t-1}], h^enc_{t-1})
    z_t ~ Normal(mu_t, sigma_t^2), with [mu_t, log sigma_t] = W_z h^enc_t + b_z
    h^dec_t = decoder(z_t, h^dec_{t-1})
    c_t = c_{t-1} + write(W_w h^dec_t + b_w) by the aim W_a h^dec_t + b_a

    Args:
        shape: Height and width of a picture.
        encoder: The recurrence that looks, over ``looks(size, decoder)`` numbers.
        decoder: The recurrence that paints, over z.
        steps: How many strokes.
        size: Side of the grid that is read, and of the stroke.

    References:
        Gregor et al. (2015), arXiv 1502.04623, equations 3 to 8 and 19 to 29.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        encoder: Recurrent,
        decoder: Recurrent,
        *,
        steps: int,
        size: int,
    ) -> None:
        assert isinstance(decoder.input_size, int)
        super().__init__(shape, steps, decoder.input_size)
        self.encoder, self.decoder = encoder, decoder
        self.window = SoftWindow(shape, size)
        seen, known = encoder.output_size, decoder.output_size
        self.reading = nn.Linear(known, self.window.aims)
        self.posterior = nn.Linear(seen, 2 * self.latent)
        self.writing = nn.Linear(known, self.window.aims)
        self.stroke = nn.Linear(known, size * size)

    @staticmethod
    def looks(size: int, hidden_size: int) -> int:
        """How many numbers the encoder reads at a step."""
        return 2 * size * size + hidden_size

    def paint(
        self, pictures: Float[Tensor, "batch height width"] | None, z: Tensor
    ) -> Strokes:
        """Paint pictures again, or new ones, stroke by stroke."""
        size, batch = self.window.size, z.shape[1]
        c = self.head.log_odds.expand(batch, -1, -1)
        h = z.new_zeros(batch, self.decoder.output_size)
        seen = known = None
        canvases, aims, divergence = [], [], z.new_zeros(batch)
        for noise in z:
            z_t = noise
            if pictures is not None:
                aim = self.reading(h)
                both = torch.stack([pictures, pictures - c.sigmoid()], dim=1)
                r = self._read(both, aim).flatten(1)
                y, seen = self.encoder(torch.cat([r, h], dim=1)[None], seen)
                z_t, nats = _drawn(self.posterior(y[0]), noise)
                divergence = divergence + nats
            y, known = self.decoder(z_t[None], known)
            h = y[0]
            aim = self.writing(h)
            patch = self.stroke(h).view(batch, size, size)
            c = c + self.window.write(patch, aim)
            canvases.append(c)
            aims.append(aim)
        return Strokes(torch.stack(canvases), torch.stack(aims), divergence)

    def _read(self, both: Tensor, aim: Tensor) -> Tensor:
        """The same window on two pictures ``(batch, 2, height, width)`` each."""
        F_Y, F_X, gamma = (part[:, None] for part in self.window.filters(aim))
        return gamma * (F_Y @ both @ F_X.mT)


class Autoencoder(PaintNetwork):
    """A variational autoencoder of plain layers, which paints at one stroke.

    Args:
        shape: Height and width of a picture.
        hidden_size: Units of its two layers before z, and of the two after.
        latent: Width of z.

    References:
        Kingma and Welling (2014), arXiv 1312.6114, appendix C.
    """

    def __init__(
        self, shape: tuple[int, int], *, hidden_size: int, latent: int
    ) -> None:
        super().__init__(shape, 1, latent)
        pixels = shape[0] * shape[1]
        self.encoder = _layers(pixels, hidden_size, 2 * latent)
        self.decoder = _layers(latent, hidden_size, pixels)

    @staticmethod
    def units(shape: tuple[int, int], latent: int, parameters: int) -> int:
        """The units of the layers with which it has about so many parameters."""
        linear, pixels = 4 + 3 * latent, shape[0] * shape[1]
        b = linear + 2 * pixels
        c = 2 * latent + 2 * pixels - parameters
        return max(1, round((-b + (b * b - 8 * c) ** 0.5) / 4)) if c < 0 else 1

    def paint(
        self, pictures: Float[Tensor, "batch height width"] | None, z: Tensor
    ) -> Strokes:
        """Paint pictures again, or new ones, at one stroke."""
        z_1, divergence = z[0], z.new_zeros(z.shape[1])
        if pictures is not None:
            z_1, divergence = _drawn(self.encoder(pictures.flatten(1)), z[0])
        canvas = self.head.log_odds + self.decoder(z_1).view(-1, *self.shape)
        return Strokes(canvas[None], z.new_zeros(1, len(canvas), 5), divergence)


def _layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Linear(inputs, hidden), nn.ReLU()),
        *(nn.Linear(hidden, hidden), nn.ReLU()),
        nn.Linear(hidden, outputs),
    )
