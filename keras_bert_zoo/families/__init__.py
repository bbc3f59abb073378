"""The model families: one data sheet each, and the registry that finds them."""

from keras_bert_zoo.families.bert import BERT
from keras_bert_zoo.families.sheet import Family

FAMILIES = {family.name: family for family in (BERT,)}

__all__ = ["FAMILIES", "Family"]
