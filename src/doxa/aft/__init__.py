"""Alignment-finetuning data: chat and preference rows from a spec, their mixes, and imports of others' chat data."""
