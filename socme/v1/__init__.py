"""The contract, generated from proto/socme/v1 by `make proto`; never edited by hand."""
