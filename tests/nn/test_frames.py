"""The encoder of frames, against PyTorch's own layers in a row."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recurro.errors import ArgumentError
from recurro.nn import FrameEncoder, GridEncoder


@pytest.mark.parametrize("shape", [(20, 20), (7, 9, 3), (4, 4), (64, 48)])
def test_frames_are_encoded_each_for_itself(shape):
    encoder = FrameEncoder(shape, size=5)
    frames = torch.randn(3, 2, *shape)
    found = encoder(frames.flatten(2))
    assert found.shape == (3, 2, 5)
    x = frames[1, 1] if len(shape) == 3 else frames[1, 1, ..., None]
    x = x.permute(2, 0, 1)[None]
    for layer in encoder.convolutions:
        x = nn.functional.conv2d(
            x, layer.weight, layer.bias, stride=2, padding=1
        ).relu()
    torch.testing.assert_close(encoder.linear(x.flatten()), found[1, 1])


def test_layers_halve_until_a_side_is_small():
    depths = {
        side: len(FrameEncoder((side, side), 2).convolutions) for side in (4, 8, 20)
    }
    assert depths == {4: 1, 8: 1, 20: 3}


@pytest.mark.parametrize("shape", [(5,), (0, 4), (1, 2, 3, 4)])
def test_shapes_that_are_none(shape):
    with pytest.raises(ArgumentError, match="shape must be"):
        FrameEncoder(shape, 2)


@pytest.mark.parametrize("shape", [(32, 32, 3), (20, 24), (64, 48, 3)])
def test_each_part_of_a_picture_has_a_vector(shape):
    encoder = GridEncoder(shape, size=5).eval()
    norms = (encoder.last_norm, encoder.around_norm, encoder.colour_norm)
    for norm in (*encoder.norms, *norms):
        nn.init.uniform_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    pictures = torch.randn(2, *shape)
    found = encoder(pictures.flatten(1)[None])
    rows, columns = encoder.grid
    assert found.shape == (rows * columns, 2, 5)
    x = pictures[1] if len(shape) == 3 else pictures[1, ..., None]
    planes = x.permute(2, 0, 1)[None]
    x = planes.max(dim=1, keepdim=True).values
    for layer, norm in zip(encoder.convolutions, encoder.norms, strict=True):
        x = convolved(x, layer, norm, stride=2)
    x = convolved(x, encoder.last, encoder.last_norm)
    x = (x + convolved(x, encoder.around, encoder.around_norm, far=3))[0]
    coarse = nn.functional.adaptive_avg_pool2d(planes, encoder.grid)
    x = x + convolved(coarse, encoder.colour, encoder.colour_norm, far=0)[0]
    for row, column in ((0, 0), (rows - 1, 1)):
        where = torch.tensor([2 * row / (rows - 1) - 1, 2 * column / (columns - 1) - 1])
        expected = x[:, row, column] + encoder.places.linear(where)
        torch.testing.assert_close(expected, found[row * columns + column, 1])


def convolved(x, layer, norm, stride=1, far=1):
    """A convolution, normalised by what is known of all pictures."""
    x = nn.functional.conv2d(x, layer.weight, layer.bias, stride, far, max(far, 1))
    mean, spread = (v[:, None, None] for v in (norm.running_mean, norm.running_var))
    return ((x - mean) / (spread + norm.eps).sqrt()).relu()


def test_the_grid_of_parts_is_about_eight_wide():
    grids = [GridEncoder((side, side, 3), 2).grid for side in (8, 28, 32, 64, 96)]
    assert grids == [(4, 4), (7, 7), (8, 8), (8, 8), (6, 6)]
