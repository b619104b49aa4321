"""The report of a run: verdict, figures, page and terminal table, from the run folder alone."""
