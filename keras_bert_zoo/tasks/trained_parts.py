"""Which weights of a task are trained: not the frozen ones, nor those that no output depends on."""

from keras_bert_zoo.training.freezing import freeze, frozen_choice


class PartlyTrained:
    """A mixin for tasks, which give `backbone` and `compile_again`."""

    # Whether an output depends on the backbone's pooler.
    uses_pooler = True

    @property
    def frozen(self):
        """What of the backbone is not trained, in the form that `freeze` takes."""
        return frozen_choice(self.backbone, self._unused)

    @property
    def _unused(self):
        """The backbone's layers that no output depends on. Not trained, but not frozen either:
        the backbone may serve another task."""
        return () if self.uses_pooler else ("pooler",)

    def _used(self, weights):
        """Those that an output depends on."""
        unused = tuple(f"{name}/" for name in self._unused)
        return [weight for weight in weights if not weight.path.startswith(unused)]

    @property
    def trainable_variables(self):
        return self._used(super().trainable_variables)

    @property
    def trainable_weights(self):
        return self._used(super().trainable_weights)

    @property
    def non_trainable_variables(self):
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def non_trainable_weights(self):
        trained = {id(weight) for weight in self.trainable_weights}
        return [weight for weight in self.weights if id(weight) not in trained]

    def freeze(self, frozen):
        """Chooses what of the backbone stays as it is in training, and compiles anew.

        Args:
            frozen: `"nothing"`; `"embeddings"`; an int n, for the embeddings and the lower n
                blocks; `"backbone"`, for everything but the head; or a list of layer names.

        Raises:
            ValueError: none of these.
        """
        freeze(self.backbone, frozen)
        self.compile_again()
