# bash completion for xfrmctl: subcommands, options and words to choose from, as its own help lists them.
_xfrmctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' before='' word
	COMPREPLY=()
	if [ "$previous" = --run-dir ]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[ "$before" = --run-dir ] || case $word in -*) ;; *) command=$word ;; esac
		before=$word
	done
	local words
	if [ -z "$command" ] && [[ $current != -* ]]; then
		words=$(xfrmctl --help 2> /dev/null | awk '/^Subcommands:/ { on = 1; next } on && /^  [a-z]/ { print $1 }')
	else
		# shellcheck disable=SC2086
		words=$(xfrmctl $command --help 2> /dev/null | grep -oE -- '--[a-z][a-z-]*|^  [a-z]+ TEXT:\{[a-z0-9,]+\}' | sed 's/.*{\(.*\)}/\1/' | tr , '\n')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _xfrmctl xfrmctl
