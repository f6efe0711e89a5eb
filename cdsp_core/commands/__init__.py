"""The command line, a file a command. Nothing slow is loaded before a command is known to need it."""
