"""The numbers behind the pages: they know nothing about how they are drawn."""
