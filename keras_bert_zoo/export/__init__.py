"""Models as programs of their own: from raw text, without Python and without this package."""
