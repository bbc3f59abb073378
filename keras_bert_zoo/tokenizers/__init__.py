"""Building tokenizers on the Rust `tokenizers` library, and packing their ids into rows."""
