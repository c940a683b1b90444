"""Number of threads: within one operation of torch, and of parallel work."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_most_cores = os.cpu_count() or 1


def allowed_cores() -> int:
    """Number of processors that the system lets this process use, the same in worker processes."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores() -> int:
    """Number of processors that this process may use."""
    return min(allowed_cores(), _most_cores)


def use_one_core() -> None:
    """Restrict this process to one processor, for worker processes that run in parallel."""
    global _most_cores
    _most_cores = 1
    torch.set_num_threads(1)


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Apply `work` to each item in a thread pool; returns the results in order.

    Worthwhile for work that mostly runs outside the interpreter: compiled kernels, matrix products, MediaPipe. Nested
    calls run in the calling thread. Operations of torch use one thread each.
    """
    if len(items) < 2 or usable_cores() == 1 or getattr(_here, "is_helper", False):
        return [work(item) for item in items]
    with one_torch_thread():  # MKL has one number for all threads of the process, which is restored here
        return list(_helpers().map(partial(_on_one_core, work), items))


_here = threading.local()


def _on_one_core(work: Callable[[Item], Result], item: Item) -> Result:
    torch.set_num_threads(1)  # each thread has its own number
    return work(item)


@cache
def _helpers() -> ThreadPoolExecutor:
    """The persistent thread pool; new threads would start with cold memory each time."""

    def start() -> None:
        _here.is_helper = True

    return ThreadPoolExecutor(usable_cores(), initializer=start)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch operations on one thread within the block.

    Splitting operations that take microseconds costs more than it gains, and on a busy machine the threads wait for one
    another: fitting a five-second clip took ten times the processor time on two threads.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def without_onednn() -> Iterator[None]:
    """Compute convolutions without oneDNN inside this context, with torch's own code.

    With oneDNN, the backward pass of torch 2.13 corrupts the heap for some convolutions over images: on two threads,
    and without AVX-512 also on one.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TF32 acceleration on top of oneDNN")
        with torch.backends.mkldnn.flags(enabled=False):
            yield
