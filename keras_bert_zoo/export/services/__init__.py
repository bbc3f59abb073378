"""What an exported model answers, one file a kind of answer."""
