"""How people reach studbook: the `Studbook` facade and the command line."""
