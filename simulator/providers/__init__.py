"""The providers that are simulated, each in a module or a package of its own."""
