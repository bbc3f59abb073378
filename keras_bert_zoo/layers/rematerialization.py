"""Less memory in training: intermediate results are computed again where gradients need them."""

import collections

import keras


def rematerialized(layer, forward, *tensors):
    """What `forward(*tensors)` gives, without keeping what its gradients need.

    Args:
        layer: Layer. `forward` reads its variables, and draws from its Dropout layers alone.
        forward: function of tensors, to a tensor.
        *tensors: float tensors.

    Returns:
        float tensor.

    Source: Chen et al. 2016.
    """
    if keras.backend.backend() == "torch":
        from keras_bert_zoo.layers import torch_kernels

        return torch_kernels.rematerialized(forward, *tensors)
    generators = list(_seed_generators(layer))
    # Copies: TensorFlow reads a variable when it is used, the second time after it moved on.
    states = [(generator.state, generator.state.value * 1) for generator in generators]
    draws = collections.Counter()
    if keras.backend.backend() == "jax":
        output = _on_jax(layer, forward, tensors, states, draws)
    else:

        def stateless(*tensors):
            with _Scope(states, draws):
                return forward(*tensors)

        output = keras.remat(stateless)(*tensors)
    for generator in generators:
        for _ in range(draws[id(generator.state)]):
            generator.next()  # as the scope dropped what was drawn within
    return output


class _Scope(keras.StatelessScope):
    """Counts anew how often each variable is assigned to, by `id`."""

    def __init__(self, values, counts):
        super().__init__(values)
        counts.clear()
        self.counts = counts

    def add_update(self, update):
        variable, _ = update
        self.counts[id(variable)] += 1
        super().add_update(update)


def _on_jax(layer, forward, tensors, states, draws):
    """JAX takes the values of the scope around this one, and those with gradients as arguments."""
    from keras_bert_zoo.layers import jax_kernels

    trained = layer.trainable_variables
    others = [(variable, variable.value) for variable in layer.non_trainable_variables]

    def stateless(*given):
        values = given[len(tensors) :]
        with _Scope([*others, *zip(trained, values, strict=True), *states], draws):
            return forward(*given[: len(tensors)])

    values = [variable.value for variable in trained]
    return jax_kernels.rematerialized(stateless, *tensors, *values)


def _seed_generators(layer):
    """The generators of a layer's Dropout layers, its own and those of the layers it holds."""
    for part in layer._flatten_layers():
        if isinstance(part, keras.layers.Dropout) and part.rate > 0:
            yield part.seed_generator
