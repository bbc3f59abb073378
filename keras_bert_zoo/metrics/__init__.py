"""Measures of finished predictions, and Keras metrics and a callback that compute them in fit."""
