"""One base and many adapters: batches of requests, routing, and how long it takes."""
