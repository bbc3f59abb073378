"""From texts and labels to the batches of a backend."""
