"""The places that people are told in; contract.py says what a receiver is."""
