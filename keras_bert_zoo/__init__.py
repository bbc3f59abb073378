"""BERT and its relatives for Keras 3, from text to prediction, on TensorFlow, JAX or PyTorch."""

from keras_bert_zoo import layers
from keras_bert_zoo.backbone import Backbone, BertBackbone
from keras_bert_zoo.checkpoints import CheckpointError, TransferReport
from keras_bert_zoo.config import EncoderConfig
from keras_bert_zoo.preprocessor import Preprocessor
from keras_bert_zoo.presets import list_presets, preset_info
from keras_bert_zoo.tasks.masked_lm import MaskedLM
from keras_bert_zoo.tasks.multiple_choice import MultipleChoice
from keras_bert_zoo.tasks.next_sentence_predictor import NextSentencePredictor
from keras_bert_zoo.tasks.pretrainer import Pretrainer
from keras_bert_zoo.tasks.question_answerer import QuestionAnswerer
from keras_bert_zoo.tasks.text_classifier import TextClassifier
from keras_bert_zoo.tasks.text_embedder import TextEmbedder
from keras_bert_zoo.tasks.token_classifier import TokenClassifier
from keras_bert_zoo.text import Tokenizer
from keras_bert_zoo.training.matching import match_tokens
from keras_bert_zoo.training.optimizers import AdamW, create_optimizer

__version__ = "0.1.0"

__all__ = [
    "AdamW",
    "Backbone",
    "BertBackbone",
    "CheckpointError",
    "EncoderConfig",
    "MaskedLM",
    "MultipleChoice",
    "NextSentencePredictor",
    "Preprocessor",
    "Pretrainer",
    "QuestionAnswerer",
    "TextClassifier",
    "TextEmbedder",
    "TokenClassifier",
    "Tokenizer",
    "TransferReport",
    "create_optimizer",
    "layers",
    "list_presets",
    "match_tokens",
    "preset_info",
]
