"""One transaction from arrival to its last log line, and the server around it."""
