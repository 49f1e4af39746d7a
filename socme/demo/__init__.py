"""The demo: a hub, two clients' nodes fed with recorded logs, and the wall, on one machine."""
