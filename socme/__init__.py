"""What Artemis, Zeus and Hermes share: the contract, identity, settings, and the journal."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("socme")
except PackageNotFoundError:  # run from a source tree that nobody installed
    VERSION = "0.0.0"
