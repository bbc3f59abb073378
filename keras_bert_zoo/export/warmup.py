"""Requests that TensorFlow Serving replays as it loads a model, so that the first client need not
wait.

Source: TensorFlow Serving's "SavedModel Warmup"; the messages of its `prediction_log.proto`,
`predict.proto` and `model.proto`. They are put together here, field by field, because the package
that holds them brings gRPC along.
"""

import tensorflow as tf

WARMUP_FILE = "tf_serving_warmup_requests"

# Field numbers.
_LOG_PREDICT = 6
_PREDICT_LOG_REQUEST = 1
_REQUEST_MODEL, _REQUEST_INPUTS = 1, 2
_MODEL_NAME, _MODEL_SIGNATURE = 1, 3
_MAP_KEY, _MAP_VALUE = 1, 2


def write_warmup(directory, requests, model_name=""):
    """Writes the requests beside a SavedModel.

    Args:
        directory: Path. The SavedModel's folder.
        requests: list of pairs of a signature's name and a dict of input name to array.
        model_name: str. The server looks at its own name for the model alone.
    """
    folder = directory / "assets.extra"
    folder.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        for signature, inputs in requests:
            writer.write(prediction_log(model_name, signature, inputs))


def prediction_log(model_name, signature, inputs):
    """A `PredictionLog` message as bytes.

    Args:
        model_name, signature: str.
        inputs: dict of input name to array.
    """
    model = _field(_MODEL_NAME, model_name.encode()) + _field(_MODEL_SIGNATURE, signature.encode())
    request = _field(_REQUEST_MODEL, model)
    for name, array in inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        entry = _field(_MAP_KEY, name.encode()) + _field(_MAP_VALUE, tensor)
        request += _field(_REQUEST_INPUTS, entry)
    return _field(_LOG_PREDICT, _field(_PREDICT_LOG_REQUEST, request))


def _field(number, content):
    """A field whose value is bytes, in protobuf's wire format."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
