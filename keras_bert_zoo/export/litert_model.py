"""Writes LiteRT (TensorFlow Lite) files, of one shape, under the TensorFlow backend."""

import tempfile

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from keras_bert_zoo.export.static_shapes import static_sizes

FILE = "model.tflite"


def write(model, folder, dtype=None, **sizes):
    """Writes a model that takes ids as `model.tflite`.

    Args:
        model: a task, with `input_axes` and `named_outputs`.
        folder: Path.
        dtype: str or None. With `"int8"` large weights are stored as bytes, and what they are
            multiplied with is rounded at run time.
        **sizes: as for `static_sizes`.
    """
    sizes = static_sizes(model, **sizes)
    rows = {
        name: tf.TensorSpec([sizes[axis] for axis in several], tf.int32, name)
        for name, several in model.input_axes.items()
    }

    @tf.function(autograph=False)
    def run(**rows):
        return model.named_outputs(model(rows, training=False))

    # The converter leaves variables without their values: it is handed constants.
    concrete = run.get_concrete_function(**rows)
    names = list(concrete.structured_outputs)
    constant = convert_variables_to_constants_v2(concrete)
    order = [tensor.name.partition(":")[0] for tensor in constant.inputs]

    @tf.function(autograph=False)
    def answer(**rows):
        outputs = constant(*(rows[name] for name in order))
        return dict(zip(sorted(names), tf.nest.flatten(outputs), strict=True))

    with tempfile.TemporaryDirectory() as aside:
        # Only from a SavedModel does the file get names for its inputs and outputs.
        signatures = {"serving_default": answer.get_concrete_function(**rows)}
        tf.saved_model.save(tf.Module(), aside, signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(aside)
        if dtype == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        (folder / FILE).write_bytes(converter.convert())
