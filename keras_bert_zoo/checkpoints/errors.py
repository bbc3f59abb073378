"""What goes wrong while reading or writing a checkpoint."""


class CheckpointError(ValueError):
    """A checkpoint is missing files, is damaged, or holds what this package cannot express."""
