"""The places that alerts are delivered to; contract.py says what a sink is, hub.py which ones run."""
