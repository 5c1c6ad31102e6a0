from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from recurro.errors import ConfigError, DataError, DivergenceError
from recurro.train import RunFolder, TrainSettings, train
from recurro.types import Batch, Shard, detach
from tests.train.toy import ToyTask

PLAIN = TrainSettings(
    epochs=2, k1=10, k2=10, optimizer="sgd", learning_rate=0.5, clip=None, keep="last"
)


def changed(**values):
    return TrainSettings(**{**PLAIN.model_dump(), **values})


def weights(task):
    return torch.cat([p.detach().reshape(-1) for p in task.network.parameters()])


def by_hand(
    task, *, epochs=2, rate=0.5, clip=None, mode="norm", every=1, length_scale=None
):
    """The loop that anyone would write in PyTorch."""
    optimizer = torch.optim.SGD(task.network.parameters(), lr=rate)
    state = None
    for epoch in range(epochs):
        batches = list(task.batches(epoch, Shard()))
        for at in range(0, len(batches), every):
            total, items, steps = torch.zeros(()), 0, 0
            for batch in batches[at : at + every]:
                loss, count, state = task.network(batch, None if batch.fresh else state)
                state = detach(state)
                total, items, steps = total + loss, items + count, len(batch.inputs)
            optimizer.zero_grad()
            (total / items).backward()
            if clip is not None and mode == "element":
                nn.utils.clip_grad_value_(task.network.parameters(), clip)
            elif clip is not None:
                nn.utils.clip_grad_norm_(task.network.parameters(), clip)
            if length_scale:
                optimizer.param_groups[0]["lr"] = rate * steps / length_scale
            optimizer.step()
    return weights(task)


@pytest.mark.parametrize(
    ("clip", "mode"), [(None, "norm"), (0.1, "norm"), (0.01, "element")]
)
def test_it_does_what_a_loop_by_hand_does(clip, mode):
    task = ToyTask()
    history = train(task, changed(clip=clip, clip_mode=mode))
    expected = by_hand(ToyTask(), clip=clip, mode=mode)
    torch.testing.assert_close(weights(task), expected, rtol=1e-5, atol=1e-6)
    assert (history.steps, history.epochs, history.stopped_by) == (40, 2, "epochs")
    assert history.items == 2 * 4 * 199


@pytest.mark.parametrize(
    "values", [{"accumulate": 3}, {"k1": 30}], ids=["accumulate", "k2 < k1"]
)
def test_gradients_are_accumulated_over_items_not_over_chunks(values):
    """The last group of a pass is short, and its last chunk too: 199 = 19 * 10 + 9."""
    task = ToyTask()
    history = train(task, changed(**values))
    expected = by_hand(ToyTask(), every=3)
    torch.testing.assert_close(weights(task), expected, rtol=1e-5, atol=1e-6)
    assert history.steps == 2 * 7


def test_the_rate_can_follow_the_length_of_the_chunk():
    task = ToyTask()
    train(task, changed(scale_by_length=True))
    expected = by_hand(ToyTask(), length_scale=10)
    torch.testing.assert_close(weights(task), expected, rtol=1e-5, atol=1e-6)


def test_it_learns_and_keeps_the_best_weights():
    task = ToyTask()
    settings = TrainSettings(epochs=20, k1=10, k2=10, learning_rate=0.02)
    history = train(task, settings)
    scores = [entry["nats"] for entry in history.validations]
    assert min(scores) == history.best < 0.7 < scores[0]
    assert history.best_step == 20 * (1 + scores.index(min(scores)))
    assert history.best_step < history.steps  # else this test could not fail
    assert task.validate(task.network)["nats"] == history.best


def test_in_a_folder_the_best_weights_are_those_on_disk(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    task = ToyTask()
    settings = TrainSettings(epochs=20, k1=10, k2=10, learning_rate=0.02)
    history = train(task, settings, folder)
    other = ToyTask(seed=9)
    other.network.load_state_dict(folder.read_weights())
    assert other.validate(other.network)["nats"] == history.best
    assert torch.equal(weights(other), weights(task))


def test_or_the_last():
    task = ToyTask()
    history = train(task, changed(epochs=3))
    assert task.validate(task.network)["nats"] == history.validations[-1]["nats"]


def test_the_folder_changes_nothing(tmp_path):
    tasks = [ToyTask(dropout=0.3), ToyTask(dropout=0.3)]
    settings = changed(checkpoint_steps=1, log_every=1, optimizer="adam")
    train(tasks[0], settings)
    train(tasks[1], settings, RunFolder.create(tmp_path / "run"))
    assert torch.equal(weights(tasks[0]), weights(tasks[1]))


def test_the_seed_decides_and_the_callers_randomness_is_left_alone():
    results = []
    for seed in (0, 0, 1):
        task = ToyTask(dropout=0.3)
        torch.manual_seed(5)
        train(task, changed(seed=seed, epochs=1))
        results.append((weights(task), torch.rand(1).item()))
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.equal(results[0][0], results[2][0])
    assert len({drawn for _, drawn in results}) == 1


class Scripted(ToyTask):
    """A task whose scores are given beforehand."""

    def __init__(self, scores, **more):
        super().__init__(**more)
        self.scores, self.seen = list(scores), []

    def validate(self, network):
        assert not network.training
        assert not torch.is_grad_enabled()
        self.seen.append(weights(self).clone())
        return {"score": self.scores[len(self.seen) - 1], "other": 0.0}


def test_patience_stops_and_the_best_comes_back():
    task = Scripted([3, 2, 2.5, math.nan, 2, 1])
    history = train(task, changed(epochs=6, patience=3, keep="best"))
    assert (history.stopped_by, history.epochs) == ("patience", 5)
    assert (history.best, history.best_step) == (2, 40)
    assert torch.equal(weights(task), task.seen[1])


def test_a_score_that_is_no_number_is_never_the_best():
    task = Scripted([math.nan, 3, math.nan])
    history = train(task, changed(epochs=3, keep="best"))
    assert (history.best, history.best_step) == (3, 40)
    hopeless = Scripted([math.nan, math.nan, math.nan])
    history = train(hopeless, changed(epochs=3, keep="best", patience=2))
    assert (history.best, history.epochs) == (None, 2)


def test_validation_at_intervals_and_once_at_the_end():
    task = Scripted([5, 4, 3, 2])
    history = train(task, changed(validate_every=6, max_steps=20))
    assert [entry["step"] for entry in history.validations] == [6, 12, 18, 20]
    assert history.stopped_by == "max_steps"


def test_no_validation_at_all():
    class Silent(ToyTask):
        def validate(self, network):
            return {}

    task = Silent()
    history = train(task, changed(keep="best"))
    assert (history.best, history.validations) == (None, [])
    torch.testing.assert_close(weights(task), by_hand(ToyTask()), rtol=1e-5, atol=1e-6)


def test_the_plateau_divides_the_rate(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    task = Scripted([3, 4, 5, 2, 2, 2])
    settings = changed(
        epochs=6,
        schedule="plateau",
        plateau_factor=2.0,
        plateau_patience=1,
        log_every=1,
    )
    train(task, settings, folder)
    lines = [line for line in folder.read_metrics() if line["kind"] == "train"]
    rates = [lines[20 * epoch]["learning_rate"] for epoch in range(6)]
    assert rates == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_averaging_begins_when_validation_stops_improving():
    task = Scripted([3, 2, 4, 5, 6])
    settings = changed(optimizer="asgd", nonmonotone=1, epochs=5)
    train(task, settings)
    twin = Scripted([9] * 5)
    train(twin, changed(epochs=5))
    for index in range(3):  # the trigger comes after the third validation
        assert torch.equal(task.seen[index], twin.seen[index]), index
    path = []
    other = ToyTask()
    other.network.constrain = lambda: path.append(weights(other).clone())
    train(other, changed(epochs=5))
    # 4 > min(3) at the third validation: the mean of the weights from there on
    torch.testing.assert_close(task.seen[3], torch.stack(path[60:80]).mean(0))


def test_a_running_mean_is_scored_and_kept():
    task, path = Scripted([1] * 3), []
    task.network.constrain = lambda: path.append(weights(task).clone())
    train(task, changed(average=0.9, epochs=3, keep="last"))
    mean = torch.zeros_like(path[0])
    for n, latest in enumerate(path, 1):
        mean += max(0.1, 10 / (n + 9)) * (latest - mean)
    torch.testing.assert_close(task.seen[-1], mean)
    torch.testing.assert_close(weights(task), mean)


def test_the_hook_after_each_update():
    task = ToyTask()
    task.network.constrain = lambda: task.network.rnn.weight_hh_l0.data.clamp_(
        -0.1, 0.1
    )
    train(task, changed(epochs=1))
    assert task.network.rnn.weight_hh_l0.abs().max() <= 0.1


class Bumpy(ToyTask):
    """Some chunks explode: the network gives NaN there, in loss and state."""

    def __init__(self, bad, poison=math.nan, **more):
        super().__init__(**more)
        self.bad, forward = set(bad), self.network.forward
        self.calls, self.states = 0, []

        def bumpy(batch, state):
            self.states.append(state)
            loss, count, state = forward(batch, state)
            if self.network.training:
                self.calls += 1
                if self.calls in self.bad:
                    return loss * poison, count, state * poison
            return loss, count, state

        self.network.forward = bumpy


def test_an_explosion_is_skipped_counted_and_written_down(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    task = Bumpy({5, 6})
    history = train(task, changed(epochs=1), folder)
    assert history.explosions == 2
    assert torch.isfinite(weights(task)).all()
    assert task.states[5] is None  # the state may be what exploded: it begins anew
    lines = [line for line in folder.read_metrics() if line["kind"] == "explosion"]
    assert [(line["step"], line["loss"]) for line in lines] == [(4, None), (5, None)]


def test_a_finite_jump_is_skipped_too():
    history = train(Bumpy({30}, poison=1000.0), changed())
    assert history.explosions == 1


def test_a_gradient_that_is_not_finite_is_skipped():
    task = ToyTask()
    calls = []

    def spoil(gradient):
        calls.append(1)
        return gradient * (math.inf if len(calls) == 3 else 1.0)

    task.network.head.weight.register_hook(spoil)
    history = train(task, changed(epochs=1))
    assert history.explosions == 1
    assert torch.isfinite(weights(task)).all()


def test_ten_explosions_in_a_row_stop_the_run():
    task = Bumpy(range(4, 100))
    with pytest.raises(DivergenceError, match="10 explosions in a row"):
        train(task, changed())
    assert task.calls == 13
    assert torch.isfinite(weights(task)).all()


def test_a_rate_far_too_high_ends_in_a_clear_message():
    task = ToyTask()
    scale = nn.Parameter(torch.ones(()))
    task.network.scale = scale
    forward = task.network.forward

    def explosive(batch, state):
        loss, count, state = forward(batch, state)
        return loss + count * scale.pow(4), count, state

    task.network.forward = explosive
    with pytest.raises(DivergenceError, match=r"Lower learning_rate or set clip=1\.0"):
        train(task, changed(learning_rate=1e6))


class Recorder:
    def __init__(self):
        self.seen = []

    def update(self, step, total, fields):
        self.seen.append((step, total, dict(fields)))


def test_progress_is_told_now_and_then():
    recorder = Recorder()
    task = ToyTask()
    history = train(task, changed(epochs=3), progress=recorder)
    step, total, fields = recorder.seen[-1]
    assert step == total == history.steps == 60
    assert fields["nats"] == history.validations[-1]["nats"]
    assert fields["epoch"] == 3
    assert fields["items_per_second"] > 0
    assert 0 < fields["loss"] < 2
    assert len(recorder.seen) <= 10 * history.seconds + 5
    train(ToyTask(), changed(max_steps=30), progress=recorder)  # a pass and a half
    assert recorder.seen[-1][2]["epoch"] == 2


def test_the_metrics_hold_the_mean_loss_since_the_last_line(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    losses = []
    task = ToyTask()
    forward = task.network.forward

    def spied(batch, state):
        loss, count, state = forward(batch, state)
        if task.network.training:
            losses.append((loss.item(), count))
        return loss, count, state

    task.network.forward = spied
    train(task, changed(log_every=7, epochs=1), folder)
    lines = [line for line in folder.read_metrics() if line["kind"] == "train"]
    assert [line["step"] for line in lines] == [7, 14]
    for line, part in zip(lines, (losses[:7], losses[7:14]), strict=True):
        mean = sum(loss for loss, _ in part) / sum(count for _, count in part)
        assert line["loss"] == pytest.approx(mean)


def test_a_limit_of_time():
    history = train(ToyTask(), changed(epochs=10_000, max_seconds=0.3))
    assert history.stopped_by == "max_seconds"
    assert 0.3 <= history.seconds < 3


def test_bfloat16_reaches_the_products_and_not_the_weights():
    kinds = set()
    task = ToyTask()
    task.network.head.register_forward_hook(lambda m, i, o: kinds.add(o.dtype))
    history = train(task, changed(precision="bf16", epochs=3))
    assert kinds == {torch.bfloat16}
    assert weights(task).dtype == torch.float32
    assert history.validations[-1]["nats"] < 1.5


def test_batches_of_which_nothing_counts_change_nothing():
    class Blank(ToyTask):
        def __init__(self):
            super().__init__()
            forward = self.network.forward
            self.network.forward = lambda b, s: (forward(b, s)[0] * 0, 0, s)

        def validate(self, network):
            return {}

    task, twin = Blank(), ToyTask()
    history = train(task, changed())
    assert torch.equal(weights(task), weights(twin))
    assert (history.items, history.explosions) == (0, 0)


def test_no_data_is_an_error():
    with pytest.raises(DataError, match="at least one batch, got none"):
        train(ToyTask(length=4), PLAIN)


def test_a_device_that_is_not_there():
    with pytest.raises(ConfigError, match="'device' must be on this machine"):
        train(ToyTask(), changed(device="cuda:99"))


def test_the_batches_are_not_touched():
    class Listed(ToyTask):
        listed = None

        def batches(self, epoch, shard):
            self.listed = self.listed or list(super().batches(epoch, shard))
            return self.listed

    task = Listed()
    copies = [
        replace(b, inputs=b.inputs.clone(), targets=b.targets.clone())
        for b in task.batches(0, Shard())
    ]
    train(task, PLAIN)
    for batch, copy in zip(task.listed, copies, strict=True):
        assert isinstance(batch, Batch)
        assert torch.equal(batch.inputs, copy.inputs)
        assert torch.equal(batch.targets, copy.targets)
