"""What a decoder looks at: places of pictures, and features of unequal number."""

from __future__ import annotations

import torch
from torch import nn

from recurro.nn import GridEncoder
from recurro.nn.places import FeatureEncoder, PlaceEncoder, Scale
from recurro.types import Batch


def test_the_places_of_a_picture_all_count():
    inputs = nn.Sequential(Scale(128.0, 64.0), GridEncoder((16, 16, 3), 6))
    encoder = PlaceEncoder(inputs, 6)
    pictures = torch.randint(0, 256, (1, 2, 16 * 16 * 3), dtype=torch.uint8)
    memory = encoder(Batch(pictures, torch.zeros(2), torch.ones(2, dtype=torch.long)))
    assert memory.steps.shape == (64, 2, 6)
    assert memory.lengths is None
    expected = inputs[1]((pictures.float() - 128) / 64)
    torch.testing.assert_close(memory.steps, expected)
    torch.testing.assert_close(memory.summary, expected.mean(0))


def test_features_beyond_a_row_count_for_nothing():
    encoder = PlaceEncoder(FeatureEncoder(3, 4), 4)
    x, lengths = torch.randn(5, 2, 3), torch.tensor([5, 2])
    memory = encoder(Batch(x, torch.zeros(2), lengths))
    assert memory.lengths is lengths
    linear = encoder.inputs.linear
    alone = nn.functional.linear(x[:2, 1], linear.weight, linear.bias).relu()
    torch.testing.assert_close(memory.steps[:2, 1], alone)
    torch.testing.assert_close(memory.summary[1], alone.mean(0))


def test_where_a_feature_lies_in_a_grid_is_known():
    encoder = FeatureEncoder(3, 4, grid=(2, 3))
    found = encoder(torch.ones(6, 1, 3))[:, 0].view(2, 3, 4)
    down, right = encoder.places.linear.weight.T
    torch.testing.assert_close(found[1, 2] - found[0, 2], 2 * down)
    torch.testing.assert_close(found[1, 1] - found[1, 0], right)
