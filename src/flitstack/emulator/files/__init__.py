"""What columns of type File and Image hold: contents in blocks, uploads on their way, the rules of their columns."""
