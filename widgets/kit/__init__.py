"""What instruments share: their contract, sentences, matrices; in Python and, beside it, in JavaScript."""
