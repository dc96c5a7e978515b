# What a line has become after Tab, as somebody at a terminal would see it. Arguments: the script's folder, tidegate's folder, the line.
# The shell inside has no settings of anybody; Ctrl-X makes it print its line.
zmodload zsh/zpty
zpty keys zsh -f -i
zpty -w keys "PS1=; PATH=$2:\$PATH; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; unsetopt beep"
zpty -w keys 'show() { print -r -- "<<$BUFFER>>" }; zle -N show; bindkey "^X" show; bindkey "^I" complete-word; print ready-$((40 + 2))'
zpty -r keys said '*ready-42*'
zpty -w -n keys "$3"$'\t\x18'
zpty -r keys said '*<<*>>*'
said=${said##*<<}
print -r -- "${said%%>>*}"
zpty -d keys
