"""Predictions of two batches at the same time, on PyTorch on CPUs.

All cores on one batch wait for each other at the end of each operation, and for Python between two.
Two threads with half of the cores and a batch of their own wait for neither.
"""

import itertools
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch

from keras_bert_zoo.layers import torch_block
from keras_bert_zoo.layers.devices import is_cpu

LANES = 2
# Of fewer batches the last, in which one thread may wait for the other, is too great a part.
FEWEST = 4


def suits(model):
    """Whether a model may run in threads: on several cores, and nothing about it is of one thread.

    Of one thread are `torch.autocast` and PyTorch's modes; hooks may hold that batches come in
    order.
    """
    return (
        torch.get_num_threads() >= LANES
        and is_cpu()
        and not model.jit_compile
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._len_torch_dispatch_stack()
        and not torch._C._len_torch_function_stack()
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
    lanes, waiting = _open_lanes(), deque()
    try:
        while len(pair := list(itertools.islice(batches, LANES))) == LANES:
            waiting.extend(lanes.submit(function, batch) for batch in pair)
            while len(waiting) > LANES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        lanes.shutdown(cancel_futures=True)
    yield from map(function, pair)


def _open_lanes():
    """Threads, each of which computes with its share of this thread's number of them."""
    count, begun = torch.get_num_threads(), Barrier(LANES + 1)

    def begin():
        torch.get_num_threads()  # sets a new thread's number to the common one, for the first time
        torch.set_num_threads(count // LANES)
        begun.wait()

    lanes = ThreadPoolExecutor(LANES, "keras_bert_zoo")
    for _ in range(LANES):
        lanes.submit(begin)
    begun.wait()
    torch.set_num_threads(count)  # the common number, which the lanes have changed
    return lanes
