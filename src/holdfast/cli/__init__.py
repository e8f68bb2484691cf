"""The composition root: commands, output, exit codes. The only reader of environment variables."""
