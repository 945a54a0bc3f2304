"""What holds when processes die, replies are lost and services fail."""
