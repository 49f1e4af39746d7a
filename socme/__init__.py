"""What Artemis, Zeus and Hermes share: the contract, identity, settings, and the journal."""

VERSION = "0.1.0"
