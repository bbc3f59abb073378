"""Training that goes on after a kill as if nothing had been: `TrainingCheckpoints`."""

import json
import os
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.readers import SafetensorsReader, save_safetensors

STATE_FILE = "training_state.safetensors"
# PyTorch's generators, which other backends have no use for, under names that begin so.
TORCH_RANDOM = "torch_random/"


class TrainingCheckpoints(keras.callbacks.Callback):
    """Keeps a training's whole state in one file, anew at the end of each epoch.

    The state is the weights, the optimizer's variables, the state of dropout's random numbers, the
    number of epochs and what was logged in them. It is written aside and renamed, so that the file
    is whole at any moment. It holds plain arrays: what one backend wrote, another reads, though
    dropout draws other numbers there.

    Args:
        directory: str or Path. Made if it is not there.
        identity: dict of plain values. What a training that goes on must have in common with the
            one before, such as the batch size. The optimizer's settings, its learning rate or
            schedule among them, belong to it in any case.
    """

    def __init__(self, directory, identity=None):
        super().__init__()
        self.path = Path(directory) / STATE_FILE
        self.identity = dict(identity or {})
        self.logged = []
        self._torch_random = {}

    def restore(self, model):
        """Puts a model where the training stood.

        Args:
            model: compiled `keras.Model`, made as for the training before.

        Returns:
            int. Epochs that are done; 0 where there is no state yet.

        Raises:
            CheckpointError: the state is of another model, optimizer or data, or damaged.
        """
        # Now, before callbacks can have changed the rate.
        self.identity.update(_settings_of(model.optimizer))
        if not self.path.is_file():
            return 0
        tensors = SafetensorsReader(self.path)
        if "training" not in tensors.metadata:
            raise CheckpointError(f"{self.path} holds no training's state.")
        about = json.loads(tensors.metadata["training"])
        for name, value in self.identity.items():
            if about["identity"].get(name) != value:
                raise CheckpointError(
                    f"{self.path} is of a training with {name}={about['identity'].get(name)!r}; "
                    f"this one has {value!r}. Go on as before, or choose another folder."
                )
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        variables = _state_of(model)
        generators = {name for name in tensors if name.startswith(TORCH_RANDOM)}
        odd = sorted(set(variables) ^ set(tensors) - generators)
        if odd:
            raise CheckpointError(
                f"{self.path} is of another model or optimizer: they differ in {odd[0]}"
                f"{f' and {len(odd) - 1} more' if len(odd) > 1 else ''}."
            )
        arrays = {name: np.array(tensors[name]) for name in variables}  # not the file's own
        for name, variable in variables.items():
            if tuple(variable.shape) != arrays[name].shape:
                raise CheckpointError(
                    f"{self.path}: {name} has the shape {arrays[name].shape}; the model's is "
                    f"{tuple(variable.shape)}."
                )
        for name, variable in variables.items():
            variable.assign(ops.convert_to_tensor(arrays[name], dtype=variable.dtype))
        self._torch_random = {name.removeprefix(TORCH_RANDOM): tensors[name] for name in generators}
        self.logged = about["logged"]
        return len(self.logged)

    def on_train_begin(self, logs=None):
        # Not before: Keras draws numbers while it prepares a training.
        if self._torch_random and keras.backend.backend() == "torch":
            from keras_bert_zoo.training import torch_random

            torch_random.set_states(self._torch_random)

    def on_epoch_end(self, epoch, logs=None):
        self.logged.append({name: float(value) for name, value in (logs or {}).items()})
        self.save(self.model)

    def save(self, model):
        """Writes the state; what was there before is replaced once the new file is whole."""
        about = {"identity": self.identity, "logged": self.logged}
        tensors = {
            name: ops.convert_to_numpy(variable) for name, variable in _state_of(model).items()
        }
        if keras.backend.backend() == "torch":
            from keras_bert_zoo.training import torch_random

            tensors |= {TORCH_RANDOM + name: state for name, state in torch_random.states().items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_suffix(".part")
        save_safetensors(tensors, aside, {"training": json.dumps(about)})
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(aside, self.path)


def _settings_of(optimizer):
    """What an optimizer is and how it was set, as plain values by name."""
    made = keras.optimizers.serialize(optimizer)
    # As they come back from a file; names are counted up by Keras, and mean nothing.
    settings = json.loads(json.dumps(made["config"]))
    _drop_names(settings)
    settings = {f"optimizer's {name}": value for name, value in settings.items()}
    return {"optimizer": made["class_name"], **settings}


def _drop_names(config):
    """Takes the names of objects out of a nested configuration."""
    config.pop("name", None)
    for value in config.values():
        if isinstance(value, dict):
            _drop_names(value)


def _state_of(model):
    """Every variable that training changes, by a name that does not depend on the backend."""
    weights = {id(variable) for variable in model.weights}
    of_metrics = {id(variable) for variable in model.metrics_variables}
    seeds = [
        variable
        for variable in model.variables
        if id(variable) not in weights and id(variable) not in of_metrics
    ]
    named = {f"weights/{variable.path}": variable for variable in model.weights}
    # Keras numbers what has no name of its own, and numbers on from model to model.
    named.update({f"seeds/{number}": variable for number, variable in enumerate(seeds)})
    named.update({f"optimizer/{number}": v for number, v in enumerate(model.optimizer.variables)})
    return named
