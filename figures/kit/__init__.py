"""What the figures share: sizes and colours, reading and making their data, drawing those that changed."""
