"""How JAX compiles a model's steps on CPUs."""

import keras


class CompiledModel(keras.Model):
    """A Keras model whose programs on JAX's CPUs leave matrix products to XLA's own kernels.

    XLA hands them to YNNPACK otherwise, which takes a tenth to a fifth longer for those of BERT
    (`docs/performance.md`). On accelerators, other backends and where a distribution is set, Keras
    compiles as ever.
    """

    def make_train_function(self, force=False):
        if not self._has_own_programs():
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._make_function(_compiled(self.train_step))
        return None

    def make_test_function(self, force=False):
        if not self._has_own_programs():
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = self._make_function(_compiled(self.test_step))
        return None

    def make_predict_function(self, force=False):
        if not self._has_own_programs():
            return super().make_predict_function(force)

        def step(state, data):
            outputs, others = self.predict_step(state, data)
            return outputs, (state[0], others)

        if self.predict_function is None or force:
            self.predict_function = self._make_function(_compiled(step), concatenate_outputs=True)
        return self.predict_function

    def _has_own_programs(self):
        if keras.backend.backend() != "jax" or self.run_eagerly or not self.jit_compile:
            return False
        from keras_bert_zoo.layers import jax_kernels

        one_device = keras.distribution.distribution() is None
        nnx = keras.config.is_nnx_enabled()
        return one_device and not nnx and bool(jax_kernels.compiler_options())


def _compiled(step):
    """A step over a state, whose memory the new state takes."""
    from keras_bert_zoo.layers import jax_kernels

    return jax_kernels.compiled(step, donate_argnums=0)
