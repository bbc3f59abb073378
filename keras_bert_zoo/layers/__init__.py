"""The layers an encoder is made of, usable on their own in any Keras model.

Dimension letters, here and in every shape comment of this package:

    B  batch                E  embedding width
    L  length, in tokens    F  feed-forward width
    D  hidden width         V  vocabulary
    H  attention heads      C  classes
    K  width of one head    P  masked positions a row
    N  choices a prompt
"""

from keras_bert_zoo.layers.attention import AttentionMap, AttentionMask, SelfAttention
from keras_bert_zoo.layers.crf import LinearChainCRF
from keras_bert_zoo.layers.embeddings import EncoderEmbeddings
from keras_bert_zoo.layers.encoder_block import EncoderBlock
from keras_bert_zoo.layers.heads import MaskedLMHead, NextSentenceHead
from keras_bert_zoo.layers.pooling import LayerMix, Pooler, TextPooling, UnitLength

__all__ = [
    "AttentionMap",
    "AttentionMask",
    "EncoderBlock",
    "EncoderEmbeddings",
    "LayerMix",
    "LinearChainCRF",
    "MaskedLMHead",
    "NextSentenceHead",
    "Pooler",
    "SelfAttention",
    "TextPooling",
    "UnitLength",
]
