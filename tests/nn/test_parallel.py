"""Two processes train an accelerated model as one process does (DDP, gloo)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurro

ROOT = Path(__file__).resolve().parents[2]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.rnn = nn.GRU(8, 6, num_layers=2, bidirectional=True)
        self.head = nn.Linear(12, 3)

    def forward(self, ids, lengths):
        x = pack_padded_sequence(self.embed(ids), lengths, enforce_sorted=False)
        return self.head(pad_packed_sequence(self.rnn(x)[0], total_length=6)[0])


def trained(model, rows):
    """The weights after some steps on these rows of each batch."""
    generator = torch.Generator().manual_seed(3)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        ids = torch.randint(20, (6, 4), generator=generator)
        lengths = torch.randint(1, 7, (4,), generator=generator)
        optimiser.zero_grad()
        model(ids[:, rows], lengths[rows]).square().mean().backward()
        optimiser.step()
    return [p.detach() for p in model.parameters()]


def new_model():
    torch.manual_seed(1)
    return Tagger()


def process(rank, port):
    """What each of the two processes does; the second one's weights are compared."""
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group(
        "gloo", init_method=address, rank=rank, world_size=2
    )
    model = recurro.accelerate(new_model(), backend="cpu")
    parallel = nn.parallel.DistributedDataParallel(model)
    got = trained(parallel, slice(2 * rank, 2 * rank + 2))
    torch.distributed.destroy_process_group()
    torch.testing.assert_close(got, trained(new_model(), slice(0, 4)))


def test_two_processes_are_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from tests.nn.test_parallel import process as p; p({}, {})"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code.format(rank, port)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    errors = [one.communicate(timeout=240)[1] for one in started]
    assert [one.returncode for one in started] == [0, 0], "\n".join(errors)
