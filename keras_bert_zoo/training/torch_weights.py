"""Weights on PyTorch as a training wants them."""


def lay_in_order(variables):
    """Copies weights that lie turned, as files of transformers hold kernels, the right way round.

    A product reads either as fast. An optimizer's own arrays lie in order, and beside them each of
    its steps would read a turned weight across, which takes it more than twice as long.

    Args:
        variables: iterable of Keras variables.
    """
    for variable in variables:
        tensor = variable.value
        if not tensor.is_contiguous():
            tensor.data = tensor.data.contiguous()
