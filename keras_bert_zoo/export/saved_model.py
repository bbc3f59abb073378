"""Writes SavedModels that TensorFlow Serving loads."""

import tempfile
from pathlib import Path

import tensorflow as tf

from keras_bert_zoo.export.warmup import write_warmup


def write_saved_model(make_service, directory, requests=()):
    """Writes the SavedModel of a service, under the TensorFlow backend.

    Args:
        make_service: function from a Path, where files may be written, to a Service.
        directory: Path. An empty folder.
        requests: list of pairs of a signature and its inputs, for the server's warm-up.
    """
    with tempfile.TemporaryDirectory() as folder:
        service = make_service(Path(folder))
        signatures = service.signatures()
        tf.saved_model.save(service, str(directory), signatures)
    write_warmup(directory, requests)
