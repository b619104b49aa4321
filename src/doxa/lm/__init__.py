"""The one door to language models: their weights (`weights`), and everything that answers a prompt."""
