"""The commands, by what people do: set machines up (`cluster`), describe (`environment`), run, look, recover, and keep repositories."""
