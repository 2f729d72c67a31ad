"""The body of script/load_test: very many messages and callbacks in a short time."""
