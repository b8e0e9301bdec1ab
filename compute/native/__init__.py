"""The page's trainer in C: the mini-model finetuned by a browser, compiled to WebAssembly."""
