"""One file a step, named v<revision>_<what>.py."""
