"""Optimizers and freezing for fine-tuning."""
