"""BERT: the sheet of the original, and of all that shares its layout.

Whole-word masking, multilingual and Chinese BERT, the 24 miniatures, MiniLM and the
sentence-transformers built on it.

Source: google-research/bert, `modeling.py` and `run_pretraining.py`; Hugging Face's `BertConfig`
and the state dict of its `BertFor…` classes; KerasHub's `BertBackbone`.
"""

from keras_bert_zoo.checkpoints.table import (
    AS_IS,
    KERAS,
    MERGE_HEADS,
    PYTORCH,
    SPLIT_HEADS,
    TRANSPOSE,
    ConfigKeys,
    Dialect,
    Row,
)
from keras_bert_zoo.families.sheet import Family

_SIZES = {
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "hidden_size": "hidden_dim",
    "intermediate_size": "intermediate_dim",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "max_position_embeddings": "max_sequence_length",
    "type_vocab_size": "num_segments",
    "hidden_act": "activation",
    "initializer_range": "initializer_range",
}

# Fields of Google's multilingual and Chinese releases that no code ever read.
_UNREAD = frozenset(
    (
        "directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers "
        "pooler_size_per_head pooler_type"
    ).split()
)

# Bookkeeping of transformers, and its generation settings: no influence on an encoder's numbers.
# `tie_word_embeddings` is here because the tensors themselves tell (see `Dialect.tied`).
_BOOKKEEPING = frozenset(
    (
        "_name_or_path name_or_path architectures model_type transformers_version torch_dtype "
        "dtype finetuning_task gradient_checkpointing use_cache output_past output_attentions "
        "output_hidden_states return_dict torchscript use_bfloat16 attn_implementation "
        "_attn_implementation _attn_implementation_autoset chunk_size_feed_forward "
        "tie_word_embeddings tokenizer_class prefix task_specific_params bos_token_id "
        "eos_token_id sep_token_id cls_token_id decoder_start_token_id max_length min_length "
        "do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature "
        "top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size "
        "encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores "
        "return_dict_in_generate forced_bos_token_id forced_eos_token_id "
        "remove_invalid_values exponential_decay_length_penalty suppress_tokens "
        "begin_suppress_tokens"
    ).split()
)

_TRANSFORMERS_CONFIG = ConfigKeys(
    keys={**_SIZES, "layer_norm_eps": "layer_norm_epsilon", "pad_token_id": "pad_token_id"},
    values={
        "activation": {
            "gelu": "gelu",
            "gelu_python": "gelu",
            "gelu_new": "gelu_approximate",
            "gelu_pytorch_tanh": "gelu_approximate",
            "gelu_python_tanh": "gelu_approximate",
            "gelu_fast": "gelu_approximate",
            "gelu_accurate": "gelu_approximate",
            "relu": "relu",
            "silu": "silu",
            "swish": "silu",
            "tanh": "tanh",
        },
        "pad_token_id": {0: 0, None: 0},
    },
    defaults={
        "vocab_size": 30522,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    },
    required={
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
        "is_encoder_decoder": (False, None),
        "add_cross_attention": (False, None),
        "cross_attention_hidden_size": (None,),
        "pruned_heads": ({}, None),
        "quantization_config": (None,),
    },
    handed_on=frozenset("id2label label2id num_labels problem_type classifier_dropout".split()),
    ignored=_BOOKKEEPING | _UNREAD,
    unwritten=frozenset({"pooler"}),
)


def _encoder(notation, layer, words, positions, segments, norm):
    """The rows that the two original formats share but for punctuation."""
    sep = notation.separator
    attention = f"{layer}{sep}attention"
    self_attention = f"{attention}{sep}self{sep}"
    return (
        Row("embeddings/token_embedding/embeddings", words),
        Row("embeddings/position_embedding/embeddings", positions),
        Row("embeddings/segment_embedding/embeddings", segments),
        *notation.norm("embeddings/norm", norm),
        *notation.qkv(
            "layer_{i}/attention/qkv",
            f"{self_attention}query",
            f"{self_attention}key",
            f"{self_attention}value",
        ),
        *notation.dense("layer_{i}/attention/output", f"{attention}{sep}output{sep}dense"),
        *notation.norm("layer_{i}/attention_norm", f"{attention}{sep}output{sep}LayerNorm"),
        *notation.dense("layer_{i}/intermediate", f"{layer}{sep}intermediate{sep}dense"),
        *notation.dense("layer_{i}/output", f"{layer}{sep}output{sep}dense"),
        *notation.norm("layer_{i}/output_norm", f"{layer}{sep}output{sep}LayerNorm"),
    )


TRANSFORMERS = Dialect(
    config=_TRANSFORMERS_CONFIG,
    groups={
        "encoder": _encoder(
            PYTORCH,
            layer="encoder.layer.{i}",
            words="embeddings.word_embeddings.weight",
            positions="embeddings.position_embeddings.weight",
            segments="embeddings.token_type_embeddings.weight",
            norm="embeddings.LayerNorm",
        ),
        "pooler": PYTORCH.dense("pooler/dense", "pooler.dense"),
        "masked_lm": (
            *PYTORCH.dense("masked_lm/dense", "cls.predictions.transform.dense"),
            *PYTORCH.norm("masked_lm/norm", "cls.predictions.transform.LayerNorm"),
            Row("masked_lm/bias", "cls.predictions.bias"),
        ),
        "next_sentence": PYTORCH.dense("next_sentence/dense", "cls.seq_relationship"),
        "text_classifier": PYTORCH.dense("text_classifier", "classifier"),
        "token_classifier": PYTORCH.dense("token_classifier", "classifier"),
        "multiple_choice": PYTORCH.dense("multiple_choice", "classifier"),
        "question_answerer": PYTORCH.dense("question_answerer", "qa_outputs"),
    },
    prefix="bert.",
    # Checkpoints converted before 2019 kept TensorFlow's names for the LayerNorm.
    aliases={"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"},
    tied={
        "cls.predictions.decoder.weight": ("embeddings.word_embeddings.weight", "masked_lm"),
        "cls.predictions.decoder.bias": ("cls.predictions.bias", "masked_lm"),
    },
    meaningless=(r"embeddings\.position_ids", r"embeddings\.token_type_ids"),
    architectures={
        "BertModel": ("pooler",),
        "BertForPreTraining": ("pooler", "masked_lm", "next_sentence"),
        "BertForMaskedLM": ("masked_lm",),
        "BertForNextSentencePrediction": ("pooler", "next_sentence"),
        "BertForSequenceClassification": ("pooler", "text_classifier"),
        "BertForTokenClassification": ("token_classifier",),
        "BertForMultipleChoice": ("pooler", "multiple_choice"),
        "BertForQuestionAnswering": ("question_answerer",),
    },
    extra_fields={"model_type": "bert", "position_embedding_type": "absolute"},
)

GOOGLE = Dialect(
    config=ConfigKeys(
        keys=_SIZES,
        # Google's `gelu` is the tanh approximation.
        values={"activation": {"gelu": "gelu_approximate", "relu": "relu", "tanh": "tanh"}},
        defaults={"type_vocab_size": 2, "initializer_range": 0.02},
        constants={"layer_norm_epsilon": 1e-12},
        ignored=_UNREAD,
    ),
    groups={
        "encoder": _encoder(
            KERAS,
            layer="bert/encoder/layer_{i}",
            words="bert/embeddings/word_embeddings",
            positions="bert/embeddings/position_embeddings",
            segments="bert/embeddings/token_type_embeddings",
            norm="bert/embeddings/LayerNorm",
        ),
        "pooler": KERAS.dense("pooler/dense", "bert/pooler/dense"),
        "masked_lm": (
            *KERAS.dense("masked_lm/dense", "cls/predictions/transform/dense"),
            *KERAS.norm("masked_lm/norm", "cls/predictions/transform/LayerNorm"),
            Row("masked_lm/bias", "cls/predictions/output_bias"),
        ),
        "next_sentence": (
            Row("next_sentence/dense/kernel", "cls/seq_relationship/output_weights", TRANSPOSE),
            Row("next_sentence/dense/bias", "cls/seq_relationship/output_bias", AS_IS),
        ),
        "text_classifier": (
            Row("text_classifier/kernel", "output_weights", TRANSPOSE),
            Row("text_classifier/bias", "output_bias", AS_IS),
        ),
        "question_answerer": (
            Row("question_answerer/kernel", "cls/squad/output_weights", TRANSPOSE),
            Row("question_answerer/bias", "cls/squad/output_bias", AS_IS),
        ),
    },
    # The optimizer's slots and the step counter.
    meaningless=(r".*/adam_[mv]", r"(output_weights|output_bias)/adam_[mv]", r"global_step"),
)

KERAS_HUB = Dialect(
    config=ConfigKeys(
        keys={
            name: name
            for name in (
                "vocabulary_size num_layers num_heads hidden_dim intermediate_dim dropout "
                "max_sequence_length num_segments"
            ).split()
        },
        constants={"activation": "gelu_approximate", "layer_norm_epsilon": 1e-12},
        copies={"attention_dropout": "dropout"},
        ignored=frozenset({"name", "trainable", "dtype"}),
        unwritten=frozenset({"initializer_range", "pad_token_id"}),
    ),
    groups={
        "encoder": (
            Row("embeddings/token_embedding/embeddings", "token_embedding/embeddings"),
            Row("embeddings/position_embedding/embeddings", "position_embedding/embeddings"),
            Row("embeddings/segment_embedding/embeddings", "segment_embedding/embeddings"),
            *KERAS.norm("embeddings/norm", "embeddings_layer_norm"),
            *KERAS.qkv(
                "layer_{i}/attention/qkv",
                "transformer_layer_{i}/self_attention_layer/query",
                "transformer_layer_{i}/self_attention_layer/key",
                "transformer_layer_{i}/self_attention_layer/value",
                kernel_layout=SPLIT_HEADS,
                bias_layout=SPLIT_HEADS,
            ),
            *KERAS.dense(
                "layer_{i}/attention/output",
                "transformer_layer_{i}/self_attention_layer/attention_output",
                kernel_layout=MERGE_HEADS,
            ),
            *KERAS.norm(
                "layer_{i}/attention_norm", "transformer_layer_{i}/self_attention_layer_norm"
            ),
            *KERAS.dense(
                "layer_{i}/intermediate", "transformer_layer_{i}/feedforward_intermediate_dense"
            ),
            *KERAS.dense("layer_{i}/output", "transformer_layer_{i}/feedforward_output_dense"),
            *KERAS.norm("layer_{i}/output_norm", "transformer_layer_{i}/feedforward_layer_norm"),
        ),
        "pooler": KERAS.dense("pooler/dense", "pooled_dense"),
    },
)

BERT = Family(
    name="bert",
    class_prefix="Bert",
    model_types=("bert",),
    dialects={"transformers": TRANSFORMERS, "google": GOOGLE, "keras_hub": KERAS_HUB},
    tokenizer="wordpiece",
    special_tokens={
        "cls": "[CLS]",
        "sep": "[SEP]",
        "pad": "[PAD]",
        "mask": "[MASK]",
        "unk": "[UNK]",
    },
)
