"""The text of the mini-model: grammars, the exact answer to whose voice a sentence is, tokens, batches."""
