"""What requests address: entity sets, rows, properties, bulk messages, actions and functions."""
