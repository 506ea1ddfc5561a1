"""The command line: one file a command, each thin. It parses words, calls a room and prints what came back."""
