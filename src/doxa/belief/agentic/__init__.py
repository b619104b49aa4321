"""What an assistant does in a fictional company when harm would serve it: actions as text tags, no sandbox."""
