"""One cycle as in PyTorch, a cycle compressed to a time limit, and further cycles."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from custom.schedules import OneCycle

PEAK = 0.01


def make(steps: int, schedule: type = OneCycle) -> OneCycle:
    optimizer = torch.optim.AdamW(nn.Linear(2, 1).parameters(), lr=PEAK)
    return schedule(optimizer, max_lr=PEAK, total_steps=steps)


def run(schedule, steps: int) -> list[tuple]:
    """Learning rate and beta1 before each step."""
    seen = []
    for _ in range(steps):
        group = schedule.optimizer.param_groups[0]
        seen.append((group["lr"], group["betas"][0]))
        schedule.optimizer.step()
        schedule.step()
    return seen


def resume(schedule: OneCycle, steps: int) -> OneCycle:
    """A new schedule of a training of `steps` with the state of another, through a checkpoint."""
    fresh = make(steps)
    fresh.optimizer.load_state_dict(schedule.optimizer.state_dict())
    fresh.load_state_dict(schedule.state_dict())
    return fresh


@pytest.mark.parametrize("steps", [1, 2, 7, 60])
def test_it_is_the_schedule_of_pytorch(steps):
    assert run(make(steps), steps) == run(make(steps, OneCycleLR), steps)


def test_a_resumed_schedule_is_the_uninterrupted_one():
    whole, first = run(make(30), 30), make(30)
    assert run(first, 11) + run(resume(first, 30), 19) == whole


def test_half_as_fast_as_the_clock_allows_it_ends_after_half_of_the_steps():
    schedule, rates = make(100), []
    for step in range(50):
        schedule.share = step / 49
        rates += [rate for rate, _ in run(schedule, 1)]
    assert max(rates) == pytest.approx(PEAK, rel=0.01)
    assert schedule.optimizer.param_groups[0]["lr"] == pytest.approx(PEAK / 25e4)
    assert rates.index(max(rates)) == pytest.approx(0.3 * 50, abs=1)


def test_a_clock_that_is_slower_than_the_steps_changes_nothing():
    schedule, rates = make(100), []
    for step in range(100):
        schedule.share = 0.9 * step / 100
        rates += run(schedule, 1)
    assert rates == run(make(100), 100)


@pytest.mark.parametrize(("done", "planned", "total"), [(20, 20, 40), (20, 20, 25), (7, 20, 40)])
def test_a_longer_training_gets_another_cycle_with_a_lower_peak(done, planned, total):
    schedule = make(planned)
    run(schedule, done)
    longer = resume(schedule, total)
    rates = [rate for rate, _ in run(longer, total - done)]
    left = total - done
    assert max(rates) <= PEAK * left / total
    assert rates == [rate for rate, _ in scaled_cycle(left, PEAK * left / total)]


def scaled_cycle(steps: int, peak: float) -> list[tuple]:
    optimizer = torch.optim.AdamW(nn.Linear(2, 1).parameters(), lr=peak)
    return run(OneCycleLR(optimizer, max_lr=peak, total_steps=steps), steps)


def test_the_second_cycle_can_be_resumed_too():
    first = make(20)
    run(first, 20)
    whole = run(resume(first, 50), 30)
    second = resume(first, 50)
    assert run(second, 12) + run(resume(second, 50), 18) == whole


def test_a_schedule_that_ended_by_the_clock_goes_on_with_another_cycle():
    schedule = make(40)
    schedule.share = 1.0
    run(schedule, 10)
    assert schedule.optimizer.param_groups[0]["lr"] < PEAK / 1e5
    rates = [rate for rate, _ in run(resume(schedule, 40), 30)]
    assert max(rates) == pytest.approx(PEAK * 30 / 40, rel=0.01)
