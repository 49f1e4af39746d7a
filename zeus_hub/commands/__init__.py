"""What `zeus` does, one module a subject.

What a command needs beyond Typer is imported inside it, so that --help is quick.
"""
