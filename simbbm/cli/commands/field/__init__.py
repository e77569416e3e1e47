"""The field: which machines take the repaint path, and what it costs them."""
