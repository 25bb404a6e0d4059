"""Threads for the cores that other programs leave free."""

from __future__ import annotations

import math
import multiprocessing
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest
import torch

from custom import free_cores as module
from custom.free_cores import FreeCores, clocks, container_cores, free_cores, usable_cores
from custom.inferers import OverlapTileInferer

from .inferers.oracle import assert_same, random_images, random_network


class Machine:
    """Clocks of a machine of 8 cores, of which others use `busy`, and that sleeps in no time."""

    def __init__(self, monkeypatch) -> None:
        self.now = self.used = self.busy = 0.0
        self.looks = 0
        self.usable = 8
        monkeypatch.setattr(module, "clocks", self.clocks)
        # The module's own names, not those of `time` itself: other threads of this process tell the time, too.
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self.pass_time))
        monkeypatch.setattr(module, "os", SimpleNamespace(cpu_count=lambda: 8))
        monkeypatch.setattr(module, "usable_cores", lambda: self.usable)

    def clocks(self) -> tuple[float, float]:
        self.looks += 1
        return self.now, self.used

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.used += seconds * self.busy


@pytest.fixture
def machine(monkeypatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("others", "cores", "free"), [(0.2, 2, 2), (0.9, 2, 1), (1.2, 2, 1), (7.0, 2, 1), (0.0, 1, 1), (1.9, 8, 6)]
)
def test_free_cores(others, cores, free):
    assert free_cores(others, cores) == free


def test_the_time_of_this_process_is_not_that_of_others(monkeypatch):
    used = namedtuple("used", "user nice system idle")
    monkeypatch.setattr(module.psutil, "cpu_times", lambda: used(10.0, 1.0, 2.0, 100.0))
    monkeypatch.setattr(module, "time", SimpleNamespace(process_time=lambda: 4.0, monotonic=lambda: 50.0))
    assert clocks() == (50.0, 9.0)


def test_where_nobody_may_know_what_others_use_all_cores_are_free(monkeypatch):
    def refuse() -> None:
        raise PermissionError("/proc/stat")

    monkeypatch.setattr(module.psutil, "cpu_times", refuse)
    monkeypatch.setattr(module, "os", SimpleNamespace(cpu_count=lambda: 8))
    monkeypatch.setattr(module, "usable_cores", lambda: 8)
    assert FreeCores().count() == 8


def test_a_look_holds_for_a_second_and_is_forgotten_after_a_pause(machine):
    free = FreeCores()
    machine.busy = 3.0
    assert free.count() == 5
    assert machine.now == pytest.approx(0.1)
    machine.busy = 0.0
    machine.pass_time(0.5)
    looks = machine.looks
    assert free.count() == 5
    assert machine.looks == looks
    machine.pass_time(1.5)
    assert free.count() == 8
    assert machine.now == pytest.approx(2.1)
    machine.busy = 6.0
    machine.pass_time(1000.0)
    machine.busy = 1.0
    assert free.count() == 7, "of the last 0.1 s, not of the pause"


def test_no_more_than_this_process_may_use(machine):
    machine.usable = 3
    assert FreeCores().count() == 3
    machine.busy = 6.0
    assert FreeCores().count() == 2


@pytest.mark.skipif(not hasattr(psutil.Process, "cpu_affinity"), reason="this system has no affinity")
def test_cores_that_this_process_is_bound_to(monkeypatch):
    monkeypatch.setattr(module, "container_cores", lambda: math.inf)
    allowed = psutil.Process().cpu_affinity()
    try:
        psutil.Process().cpu_affinity(allowed[:1])
        assert usable_cores() == 1
    finally:
        psutil.Process().cpu_affinity(allowed)
    assert usable_cores() == len(allowed)


@pytest.mark.parametrize(("limit", "cores"), [(math.inf, 8), (2.0, 2), (1.5, 2), (0.3, 1), (20.0, 8)])
def test_cores_of_a_container_where_the_system_has_no_affinity(monkeypatch, limit, cores):
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    monkeypatch.setattr(module, "os", SimpleNamespace(cpu_count=lambda: 8))
    monkeypatch.setattr(module, "container_cores", lambda: limit)
    assert usable_cores() == cores


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({}, math.inf),
    ],
)
def test_limit_of_a_container(tmp_path, files, cores):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert container_cores(tmp_path) == cores


def test_threads_follow_and_are_restored(machine):
    torch.set_num_threads(4)
    with FreeCores().threads() as fit:
        fit()
        assert torch.get_num_threads() == 4, "never more than there were"
        machine.busy = 6.0
        machine.pass_time(2.0)
        fit()
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 4


def test_one_thread_stays_one_without_a_look(machine):
    torch.set_num_threads(1)
    with FreeCores().threads() as fit:
        fit()
    assert machine.looks == 0


def in_new_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_a_thread_that_begins_while_another_has_fewer_does_not_keep_these(machine):
    """A server that answers each request in a thread of its own ended with one PyTorch thread for all of them."""
    torch.set_num_threads(4)
    machine.busy = 6.0

    def beside_another() -> int:
        with FreeCores().threads() as fit:
            fit()
            return torch.get_num_threads()

    def request() -> tuple[int, int, int]:
        with FreeCores().threads() as fit:
            fit()
            during = torch.get_num_threads()
            machine.busy = 0.0
            machine.pass_time(10.0)
            return during, in_new_thread(beside_another), in_new_thread(torch.get_num_threads)

    assert in_new_thread(request) == (2, 4, 4)
    assert in_new_thread(torch.get_num_threads) == 4


def test_a_thread_with_a_limit_of_its_own_keeps_it(machine):
    def limited() -> int:
        torch.set_num_threads(3)
        with FreeCores().threads() as fit:
            fit()
            return torch.get_num_threads()

    torch.set_num_threads(4)
    with FreeCores().threads() as fit:
        fit()
        assert in_new_thread(limited) == 3


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="Windows does not fork")
def test_a_forked_process_computes_with_one_thread():
    """It waited for ever for the threads of its parent."""
    torch.set_num_threads(2)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(torch.get_num_threads) == 1
    assert torch.get_num_threads() == 2


def test_tiles_are_predicted_with_as_many_threads_as_cores_are_free(machine):
    network, used = random_network(depth=2), []
    network.register_forward_pre_hook(lambda *_: used.append(torch.get_num_threads()))
    image = random_images(70, 90)
    torch.set_num_threads(3)
    inferer = OverlapTileInferer(orientations=8, amp=False)
    logits = inferer(image, network)
    machine.busy = 5.8
    machine.pass_time(10.0)
    assert_same(inferer(image, network), logits)
    assert set(used) == {3, 2}
    assert torch.get_num_threads() == 3
