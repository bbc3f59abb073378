"""Reading and writing the checkpoints of other packages, and our own."""

from keras_bert_zoo.checkpoints.errors import CheckpointError
from keras_bert_zoo.checkpoints.transfer import TransferReport

__all__ = ["CheckpointError", "TransferReport"]
