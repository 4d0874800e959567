# fish completion for xfrmctl: subcommands, options and words to choose from, as its own help lists them.
function __xfrmctl_commands
	xfrmctl --help 2>/dev/null | awk '/^Subcommands:/ { on = 1; next } on && /^  [a-z]/ { name = $1; $1 = ""; sub(/^ /, ""); print name "\t" $0 }'
end
function __xfrmctl_choices
	set -l command (commandline -opc)[2..-1]
	xfrmctl (string match -v -- '-*' $command) --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*|^  [a-z]+ TEXT:\{[a-z0-9,]+\}' | sed 's/.*{\(.*\)}/\1/' | tr , '\n'
end
complete -c xfrmctl -f
complete -c xfrmctl -n 'test (count (string match -v -- "-*" (commandline -opc))) -lt 2' -a '(__xfrmctl_commands)'
complete -c xfrmctl -a '(__xfrmctl_choices)'
