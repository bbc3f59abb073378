"""Which weights stay as they are."""

import numpy as np
import pytest
import support
from keras import ops


def moved_groups(classifier):
    """The first parts of the paths of the weights that one step of training moves."""
    before = {v.path: ops.convert_to_numpy(v).copy() for v in classifier.weights}
    classifier.fit(["good film", "bad tea ."], [1, 0], verbose=0)
    return {
        v.path.split("/")[0]
        for v in classifier.weights
        if not np.array_equal(before[v.path], ops.convert_to_numpy(v))
    }


CHOICES = [
    ("nothing", {"embeddings", "layer_0", "layer_1", "pooler", "text_classifier"}),
    ("embeddings", {"layer_0", "layer_1", "pooler", "text_classifier"}),
    (0, {"layer_0", "layer_1", "pooler", "text_classifier"}),
    (1, {"layer_1", "pooler", "text_classifier"}),
    (2, {"pooler", "text_classifier"}),
    ("backbone", {"text_classifier"}),
]


@pytest.mark.parametrize("frozen, moving", CHOICES)
def test_just_the_chosen_weights_move(frozen, moving):
    classifier = support.scramble(support.tiny_classifier(num_layers=2))
    classifier.compile(optimizer="adam")
    classifier.freeze(frozen)
    assert moved_groups(classifier) == moving


def test_frozen_from_the_start():
    assert moved_groups(support.scramble(support.tiny_classifier(num_layers=2, frozen=1))) == {
        "layer_1",
        "pooler",
        "text_classifier",
    }


def test_the_choice_can_change_after_training():
    classifier = support.scramble(support.tiny_classifier(num_layers=2))
    classifier.compile(optimizer="adam")
    for frozen, moving in (CHOICES[3], CHOICES[5], CHOICES[0]):
        classifier.freeze(frozen)
        assert moved_groups(classifier) == moving, frozen


def test_a_projection_of_the_embeddings_is_frozen_with_them():
    backbone = support.tiny_backbone(embedding_dim=8)
    classifier = support.tiny_classifier(backbone=backbone, frozen="embeddings")
    training = {v.path.split("/")[0] for v in classifier.trainable_variables}
    assert training == {"layer_0", "layer_1", "pooler", "text_classifier"}


@pytest.mark.parametrize("frozen", ["all", 3, -1, True, 1.0, None, [1]])
def test_nonsense_is_refused(frozen):
    classifier = support.tiny_classifier(num_layers=2)
    with pytest.raises(
        ValueError, match=r"freeze takes .* from 0 to 2, or a list of layer names; got"
    ):
        classifier.freeze(frozen)
