"""Raw text to batches for pre-training: a folder of rows is made once and read in any order."""

from keras_bert_zoo.data.pretraining.batches import PretrainingBatches
from keras_bert_zoo.data.pretraining.files import make_pretraining_data, read_pretraining_data
from keras_bert_zoo.data.pretraining.recipe import PretrainingRecipe
from keras_bert_zoo.data.pretraining.units import JiebaWords, Phrases

__all__ = [
    "JiebaWords",
    "Phrases",
    "PretrainingBatches",
    "PretrainingRecipe",
    "make_pretraining_data",
    "read_pretraining_data",
]
