"""What people are shown of how everything does: status, days, growth, the log, what is to come; and Prometheus."""
