"""Run folders, stages, resume, locks and progress. Only this package decides where files lie."""
