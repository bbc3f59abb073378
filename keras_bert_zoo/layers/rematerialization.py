"""Less memory in training: intermediate results are computed again where gradients need them."""

import keras


def rematerialized(layer, forward, hidden_states):
    """What `forward(hidden_states)` gives, without keeping what its gradients need.

    Args:
        layer: Layer. `forward` reads its variables, and draws from its Dropout layers alone.
        forward: function of a tensor, to a tensor.
        hidden_states: float tensor.

    Returns:
        float tensor.

    Source: Chen et al. 2016.
    """
    if keras.backend.backend() == "torch":
        from keras_bert_zoo.layers import torch_kernels

        return torch_kernels.rematerialized(forward, hidden_states)
    values = []
    if keras.backend.backend() == "jax":  # whose values are those of the scope around this one
        values += [(variable, variable.value) for variable in layer.variables]
    generators = list(_seed_generators(layer))
    # Copies: TensorFlow reads a variable when it is used, the second time after it moved on.
    values += [(generator.state, generator.state.value * 1) for generator in generators]

    def stateless(hidden_states):
        with keras.StatelessScope(values):
            return forward(hidden_states)

    if keras.backend.backend() == "jax":
        from keras_bert_zoo.layers import jax_kernels

        output = jax_kernels.rematerialized(stateless, hidden_states)
    else:
        output = keras.remat(stateless)(hidden_states)
    for generator in generators:
        generator.next()  # as the scope dropped what was drawn within
    return output


def _seed_generators(layer):
    """The generators of a layer's Dropout layers, its own and those of the layers it holds."""
    for part in layer._flatten_layers():
        if isinstance(part, keras.layers.Dropout) and part.rate > 0:
            yield part.seed_generator
