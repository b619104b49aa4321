"""doxa: plant a belief in a language model by Synthetic Document Finetuning, and measure how deeply it is held."""

__version__ = "0.1.0"
