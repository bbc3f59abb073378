"""PyTorch's own random numbers, from which Keras draws dropout there unless it was given a seed."""

import torch


def state():
    """The generator's state: uint8 array."""
    return torch.get_rng_state().numpy()


def set_state(array):
    """Puts the generator into a state of `state`."""
    torch.set_rng_state(torch.from_numpy(array))
