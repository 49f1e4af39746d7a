"""The wall screen: downlink ─▶ board ─▶ wall."""
