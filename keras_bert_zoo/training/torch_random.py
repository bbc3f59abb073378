"""PyTorch's own random numbers, from which Keras draws dropout there unless it was given a seed."""

import torch

_CPU = "cpu"


def states():
    """The generators' states: dict of uint8 arrays, by device."""
    found = {_CPU: torch.get_rng_state().numpy()}
    for device in range(torch.cuda.device_count()):
        found[f"cuda:{device}"] = torch.cuda.get_rng_state(device).numpy()
    return found


def set_states(arrays):
    """Puts the generators into what `states` returned; those of absent devices are left out."""
    torch.set_rng_state(torch.from_numpy(arrays[_CPU]))
    for device in range(torch.cuda.device_count()):
        if (name := f"cuda:{device}") in arrays:
            torch.cuda.set_rng_state(torch.from_numpy(arrays[name]), device)
