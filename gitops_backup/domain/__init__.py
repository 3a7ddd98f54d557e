"""What is true: pure values and decisions, with no input or output, no clock and no logging."""
