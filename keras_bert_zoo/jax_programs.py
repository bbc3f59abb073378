"""How JAX compiles a model's steps on CPUs."""

import keras


class CompiledModel(keras.Model):
    """A Keras model whose own steps leave matrix products to XLA's kernels on JAX's CPUs.

    XLA hands them to YNNPACK otherwise, which takes a tenth to a fifth longer for those of BERT
    (`docs/performance.md`). On accelerators, on other backends, and where a distribution is set,
    Keras compiles as ever; so it does a `keras.Model` around this one.
    """

    def make_train_function(self, force=False):
        """As `keras.Model.make_train_function`."""
        if not self._has_own_programs():
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = self._make_function(self._compiled(self.train_step))

    def make_test_function(self, force=False):
        """As `keras.Model.make_test_function`."""
        if not self._has_own_programs():
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = self._make_function(self._compiled(self.test_step))

    def make_predict_function(self, force=False):
        """As `keras.Model.make_predict_function`."""

        def step(state, data):
            trainable_variables, _ = state
            outputs, non_trainable_variables = self.predict_step(state, data)
            return outputs, (trainable_variables, non_trainable_variables)

        if not self._has_own_programs():
            super().make_predict_function(force)
        elif self.predict_function is None or force:
            self.predict_function = self._make_function(
                self._compiled(step), concatenate_outputs=True
            )
        return self.predict_function

    def _has_own_programs(self):
        if keras.backend.backend() != "jax" or self.run_eagerly or not self.jit_compile:
            return False
        from keras_bert_zoo.layers import jax_kernels

        as_ever = keras.distribution.distribution() is not None or keras.config.is_nnx_enabled()
        # Keras's trainer for JAX has it, but does not promise it.
        return (
            not as_ever and hasattr(self, "_make_function") and bool(jax_kernels.compiler_options())
        )

    def _compiled(self, step):
        from keras_bert_zoo.layers import jax_kernels

        return jax_kernels.compiled_step(step)
