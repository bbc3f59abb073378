"""Predictions of two batches at the same time, on PyTorch on CPUs.

All cores on one batch wait for each other at the end of each operation, and for Python between two.
Two threads with half of the cores and a batch of their own wait for neither.
"""

import functools
import itertools
import os
import threading
from collections import deque
from concurrent import futures

import keras
import torch
from keras.src.backend import in_stateless_scope  # there is no public way to ask

from keras_bert_zoo.layers import torch_block
from keras_bert_zoo.layers.devices import is_cpu

LANES = 2
# Of fewer batches the last, in which one thread may wait for the other, is too great a part.
FEWEST = 4

# Held while the number of threads that PyTorch gives to new ones is another for a moment.
_COUNTING = threading.Lock()


def suits(model):
    """Whether a model may run in threads: on several cores, and nothing about it is of one thread.

    Of one thread are `torch.autocast`, PyTorch's modes and Keras's scopes; hooks may hold that
    batches come in order.
    """
    return (
        _threads() >= LANES
        and is_cpu()
        and not model.jit_compile
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._len_torch_dispatch_stack()
        and not torch._C._len_torch_function_stack()
        and not in_stateless_scope()
        and keras.distribution.distribution() is None
        and not torch_block.is_watched(*model._flatten_layers())
    )


def run(function, batches):
    """What `function` gives for each batch, in their order.

    Args:
        function: function of a batch.
        batches: iterable. Few of them, and an odd one at the end, are run with all cores each.

    Yields:
        what `function` returned.
    """
    batches = iter(batches)
    first = list(itertools.islice(batches, FEWEST))
    if len(first) < FEWEST:
        yield from map(function, first)
        return
    batches = itertools.chain(first, batches)
    lanes, waiting = _lanes(_threads(), os.getpid()), deque()
    try:
        while len(pair := list(itertools.islice(batches, LANES))) == LANES:
            waiting.extend(lanes.submit(function, batch) for batch in pair)
            while len(waiting) > LANES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        futures.wait(waiting)
    yield from map(function, pair)


def _threads():
    """The number of threads that PyTorch computes with on this one."""
    with _COUNTING:  # a new thread takes over the common number when it first asks
        return torch.get_num_threads()


@functools.lru_cache(maxsize=1)
def _lanes(count, process):
    """Threads that each compute with their share of `count`; kept for the next time.

    A forked process has none of them, so the number of the process tells its own apart.
    """
    lanes = futures.ThreadPoolExecutor(LANES, "keras_bert_zoo")
    together = threading.Barrier(LANES)

    def begin():
        together.wait()  # for the other, so that each thread begins once
        torch.get_num_threads()  # takes over the common number, which it does a single time
        torch.set_num_threads(max(1, count // LANES))

    with _COUNTING:
        try:
            for future in [lanes.submit(begin) for _ in range(LANES)]:
                future.result()
        except BaseException:
            together.abort()
            lanes.shutdown(wait=False)
            raise
        finally:
            torch.set_num_threads(count)  # the common number is that of the last who set theirs
    return lanes
